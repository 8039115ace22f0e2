"""Importance sampling of the three hyperparameters; everything else is integrated out exactly.

Mode by BFGS, Sobol points through a Student-t at the mode, Pareto-smoothed weights; where the diagnostics ask for
it, the proposal is moved to the weighted moments and sampled again (Cappe et al. 2008, population Monte Carlo).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import sici

from .config import InferenceConfig
from .likelihood import BOX, Conditional, Target
from .proposal import Proposal
from .psis import smooth_log_weights

Floats = NDArray[np.float64]

ROUNDS = 4
WIDEN = 1.6  # a sample that failed its gate has missed a tail: its own covariance is too small
GRID = np.log([(sigma, eta, ell) for sigma in (0.15, 0.3, 0.6, 0.95) for eta in (0.2, 0.6) for ell in (2, 6, 20, 60)])


@dataclass(frozen=True, eq=False)
class Start:
    """Mode and proposal of an earlier fit, for the refit on a few more months."""

    mode: Floats
    proposal: Proposal


@dataclass(frozen=True, eq=False)
class Weighted:
    """Weighted values of u = log theta with what is Gaussian given each of them.

    `spacing` (3,) is the distance between the nodes of a grid in each component, the others held; None for a sample.
    """

    conditional: Conditional
    weight: Floats
    start: Start
    diagnostics: dict[str, float]
    spacing: Floats | None = None

    @property
    def u(self) -> Floats:
        """log theta, (S, 3)."""
        return self.conditional.u

    def below(self, u: Floats) -> Floats:
        """Posterior probability (3,) that each component is below that of `u` (3,).

        Nodes of a grid hold the mass of a density between them: it is interpolated by sinc functions, which is as exact
        as the trapezoid rule (Trefethen & Weideman 2014), and integrated; else whole nodes would be counted.
        """
        if self.spacing is None:
            return self.weight @ (self.u < u)
        return self.weight @ (0.5 + sici(np.pi * (u - self.u) / self.spacing)[0] / np.pi)

    def passes(self, config: InferenceConfig) -> bool:
        """The gate: are the weights reliable (k-hat) and even enough (ESS)?"""
        return self.diagnostics["k_hat"] <= config.max_k_hat and self.diagnostics["ess"] >= config.min_ess


def find_mode(target: Target) -> Floats:
    """BFGS on the three logs, from the best point of a coarse grid (the posterior can have two modes)."""
    from scipy.optimize import minimize  # heavy, and forecasting from a stored posterior needs none of it

    values = target.log_posterior(GRID, target.conditional(GRID))

    def objective(u: Floats) -> tuple[float, Floats]:
        if np.abs(u).max() > BOX:
            return 1e12, np.zeros(3)
        value, gradient = target.value_and_gradient(u)
        return -value, -gradient

    result = minimize(objective, GRID[int(np.argmax(values))], jac=True, method="BFGS", options={"gtol": 1e-2})
    return np.asarray(result.x, dtype=np.float64)


def hessian(target: Target, u: Floats, step: float = 1e-3) -> Floats:
    """Of log p(u, y), by central differences of the exact gradient."""
    rows = [
        (target.value_and_gradient(u + step * e)[1] - target.value_and_gradient(u - step * e)[1]) / (2 * step)
        for e in np.eye(3)
    ]
    return (np.array(rows) + np.array(rows).T) / 2


def laplace(target: Target, mode: Floats) -> Proposal:
    """Proposal at the mode with the inverse Hessian as covariance, slightly widened."""
    values, vectors = np.linalg.eigh(-hessian(target, mode))
    covariance = (vectors / np.maximum(values, 0.1)) @ vectors.T
    return Proposal.of(mode, 1.1 * covariance)


def importance_sample(target: Target, start: Start, points: int, rng: np.random.Generator) -> Weighted:
    """One round: draw, filter, weight, smooth the weights."""
    u = start.proposal.sample(points, rng)
    conditional = target.conditional(u)
    log_ratio = target.log_posterior(u, conditional) - start.proposal.log_density(u)
    log_weight, k_hat = smooth_log_weights(log_ratio)
    weight = np.exp(log_weight).astype(np.float32).astype(np.float64)
    weight /= weight.sum()
    return Weighted(conditional, weight, start, {"k_hat": k_hat, "ess": float(1 / (weight**2).sum())})


def adapt(sample: Weighted) -> Start:
    """Move the proposal to the weighted moments, a little wider than the sample says."""
    location = sample.weight @ sample.u
    centred = sample.u - location
    covariance = np.einsum("s,si,sj->ij", sample.weight, centred, centred)
    return Start(sample.start.mode, Proposal.of(location, WIDEN * covariance))


def sample_marginal(target: Target, config: InferenceConfig, seed: int, start: Start | None) -> Weighted:
    """Sample, and adapt while the diagnostics ask for it; the caller decides what to do if they still do."""
    rng = np.random.default_rng(seed)
    if start is not None:
        reused = importance_sample(target, start, config.points, rng)
        if reused.passes(config):
            reused.diagnostics["rounds"] = 0.0
            return reused
    mode = find_mode(target)
    sample = importance_sample(target, Start(mode, laplace(target, mode)), config.points, rng)
    best, rounds = sample, 1
    while not best.passes(config) and rounds <= ROUNDS:
        sample = importance_sample(target, adapt(sample), config.points, rng)
        rounds += 1
        if sample.passes(config) or sample.diagnostics["ess"] > best.diagnostics["ess"]:
            best = sample
    best.diagnostics["rounds"] = float(rounds)
    return best
