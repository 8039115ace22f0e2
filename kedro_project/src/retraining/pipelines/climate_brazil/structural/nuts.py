"""NUTS on the PyMC model: the slow, general path, and the audit of the fast one.

A model is compiled once for a configuration and basis size, and fed each series' data after that.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from .config import InferenceConfig, ModelConfig, ShapePrior
from .errors import SamplingTimeoutError
from .kernels import covariance
from .likelihood import Target
from .marginal import Start, Weighted
from .model import (
    AHEAD,
    basis_size,
    build_exact_model,
    build_model,
    example_data,
    hilbert_basis,
    model_data,
    plausible_lengthscales,
    spectral_density,
)
from .priors import HYPERPARAMETERS
from .proposal import Proposal

if TYPE_CHECKING:
    import xarray

Floats = NDArray[np.float64]

LINEAR = ["intercept", "slope", "fourier"]


@dataclass(frozen=True, eq=False)
class Chains:
    """u = log theta (chains, draws, 3); forecast mean of each draw, standardised (chains, draws, AHEAD)."""

    u: Floats
    forecast_mean: Floats
    diagnostics: dict[str, float]


@lru_cache(maxsize=8)
def _compiled(model: ModelConfig, m: int) -> Any:
    """Compiled for nutpie with placeholder data; sizes may change with the data, m (0: exact covariance) may not."""
    import nutpie

    data = example_data(model, max(m, 1))
    return nutpie.compile_pymc_model(build_model(model, data) if m else build_exact_model(model, data))


# Numbers that are data of the compiled model, here as placeholders.
_GIVEN = {"pooled_slope_mean": None, "pooled_slope_sd": None, "seasonal_sd": None}
_SHAPE = ShapePrior(mean=(0.0, 0.0), variance=(1.0, 1.0))


def _sample(
    target: Target, m: int, c: float, config: InferenceConfig, seed: int, seconds: float | None
) -> tuple["xarray.Dataset", float]:
    """Draws and the number of divergent transitions.

    Raises:
        SamplingTimeoutError: it took more than `seconds`, compilation not counted.
    """
    data = model_data(target, max(m, 1), c)
    values = data.hilbert() if m else data.exact()
    chosen: dict[str, Any] = {"draws": config.draws, "tune": config.tune, "chains": config.chains, "cores": 1}
    chosen["target_accept"] = config.target_accept
    if config.nuts_sampler == "nutpie":
        import nutpie

        plain = target.model.model_copy(update=_GIVEN | {"shape_prior": target.model.shape_prior and _SHAPE})
        compiled = _compiled(plain, m).with_data(**values)
        chosen |= {"seed": seed % 2**32, "save_warmup": False, "progress_bar": False}
        sampler = nutpie.sample(compiled, **chosen, blocking=False)
        began = time.monotonic()
        while seconds is not None and not _is_finished(sampler):
            if time.monotonic() - began > seconds:
                sampler.cancel()
                raise _too_long(target, seconds)
            time.sleep(0.05)
        idata = sampler.wait()
    else:
        import pymc as pm

        began = time.monotonic()

        def stop(trace: Any, draw: Any) -> None:
            if seconds is not None and time.monotonic() - began > seconds:
                raise _too_long(target, seconds)

        chosen |= {"random_seed": seed % 2**32, "progressbar": False, "compute_convergence_checks": False}
        with build_model(target.model, data) if m else build_exact_model(target.model, data):
            idata = pm.sample(**chosen, callback=stop)
    return idata["posterior"], float(idata["sample_stats"]["diverging"].sum())


def _is_finished(sampler: Any) -> bool:
    try:
        return bool(sampler.is_finished)
    except TimeoutError:  # a busy machine: nothing is known yet
        return False


def _too_long(target: Target, seconds: float) -> SamplingTimeoutError:
    return SamplingTimeoutError(
        f"series {target.series_id!r}: NUTS took more than max_fallback_seconds={seconds:g}; raise it or points"
    )


def run_chains(target: Target, config: InferenceConfig, seed: int, seconds: float | None = None) -> Chains:
    """Sample, and forecast with the sampled model's own trend, independently of the Kalman filter."""
    import arviz as az

    m, c = 0, 1.2
    if config.nuts_trend == "hilbert":
        m, c = basis_size(target.model.kernel, target.length, *plausible_lengthscales(target))
    posterior, divergences = _sample(target, m, c, config, seed, seconds)
    summary = posterior[[*HYPERPARAMETERS, *(LINEAR if m else [])]]
    r_hat = max(float(v.max()) for v in az.rhat(summary).data_vars.values())
    ess = min(float(v.min()) for v in az.ess(summary).data_vars.values())
    u = np.log(np.stack([posterior[name].values for name in HYPERPARAMETERS], axis=-1))
    mean = hilbert_forecast(target, posterior, u, m, c) if m else exact_forecast(target, u)
    return Chains(u, mean, {"r_hat": r_hat, "ess": ess, "divergences": divergences, "basis": float(m)})


def hilbert_forecast(target: Target, posterior: "xarray.Dataset", u: Floats, m: int, c: float) -> Floats:
    """x c + phi(t) sqrt(S) w at the months ahead, for each draw."""
    import pytensor

    position = np.arange(target.length, target.length + AHEAD)
    basis, frequency = hilbert_basis(position, target.length, m, c)
    ell = pytensor.tensor.dscalar()
    density = pytensor.function([ell], spectral_density(target.model, pytensor.tensor.as_tensor(frequency), ell))
    spectrum = np.stack([density(value) for value in np.exp(u[..., 2]).ravel()]).reshape(*u.shape[:2], m)
    parts = [np.atleast_3d(posterior[name].values) for name in LINEAR]
    linear = np.concatenate(parts, axis=-1) @ target.design(position[0], position[-1] + 1).T
    weight = posterior["basis_weight"].values * np.sqrt(spectrum) * np.exp(u[..., 1:2])
    return linear + weight @ basis.T


def exact_forecast(target: Target, u: Floats) -> Floats:
    """Kriging with the dense covariance, coefficients included (Rasmussen & Williams 2006, eq. 2.23)."""
    kept, ahead = np.flatnonzero(target.observed), np.arange(target.length, target.length + AHEAD)
    x = target.z[kept, 1:] * target.prior_sd
    x_ahead = target.design(ahead[0], ahead[-1] + 1) * target.prior_sd
    expected, expected_ahead = (
        target.z[kept, 1:] @ target.prior_mean,
        target.design(ahead[0], ahead[-1] + 1) @ target.prior_mean,
    )
    near = np.abs(kept[:, None] - kept).astype(float)
    far = np.abs(ahead[:, None] - kept).astype(float)
    out = np.empty((*u.shape[:2], AHEAD))
    for index in np.ndindex(*u.shape[:2]):
        sigma, eta, ell = np.exp(u[index])
        full = covariance(target.model.kernel, near, eta, ell) + x @ x.T
        full[np.diag_indices(len(kept))] += sigma**2
        solved = cho_solve(cho_factor(full, lower=True), target.z[kept, 0] - expected)
        out[index] = expected_ahead + (covariance(target.model.kernel, far, eta, ell) + x_ahead @ x.T) @ solved
    return out


def sample_nuts(target: Target, config: InferenceConfig, seed: int, seconds: float | None = None) -> Weighted:
    """Thinned, unweighted draws of theta; coefficients and forecasts then follow exactly given each of them.

    Raises:
        SamplingTimeoutError: it took more than `seconds`.
    """
    chains = run_chains(target, config, seed, seconds)
    kept = max(1, min(config.points // config.chains, config.draws))
    index = np.linspace(0, config.draws - 1, kept).round().astype(int)
    u = chains.u[:, index].reshape(-1, 3).astype(np.float32).astype(np.float64)
    flat = chains.u.reshape(-1, 3)
    location = flat.mean(axis=0)
    centred = flat - location
    covariance_u = np.einsum("si,sj->ij", centred, centred) / len(flat)
    start = Start(location, Proposal.of(location, covariance_u))
    return Weighted(target.conditional(u), np.full(len(u), 1 / len(u)), start, dict(chains.diagnostics))
