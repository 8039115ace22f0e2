"""A multivariate Student-t over log theta, sampled by scrambled Sobol points."""

from dataclasses import dataclass
from math import lgamma

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

Floats = NDArray[np.float64]

DEGREES = 5.0  # tails heavier than the posterior's, or the weights have no variance


@dataclass(frozen=True, eq=False)
class Proposal:
    """Location (3,) and lower-triangular scale (3, 3) of log theta."""

    location: Floats
    scale: Floats

    @classmethod
    def of(cls, location: Floats, covariance: Floats) -> "Proposal":
        """Floor the eigenvalues first: a ridge in the posterior must not make the proposal degenerate."""
        values, vectors = np.linalg.eigh(covariance)
        values = np.clip(values, 1e-4, 9.0)
        return cls(np.asarray(location, dtype=float), np.linalg.cholesky((vectors * values) @ vectors.T))

    def sample(self, points: int, rng: np.random.Generator) -> Floats:
        """(points, 3), rounded to float32 so that what is stored is exactly what was weighted."""
        from scipy.stats import qmc  # heavy, and forecasting from a stored posterior needs none of it

        uniform = qmc.Sobol(4, scramble=True, rng=rng).random(points)
        uniform = np.clip(uniform, 1e-12, 1 - 1e-12)
        stretch = np.sqrt(DEGREES / (2 * gammaincinv(DEGREES / 2, uniform[:, 3])))
        u = self.location + np.einsum("ij,sj->si", self.scale, ndtri(uniform[:, :3]) * stretch[:, None])
        return u.astype(np.float32).astype(np.float64)

    def log_density(self, u: Floats) -> Floats:
        """Log density of the Student-t at each row of u (S, 3)."""
        d, nu = 3, DEGREES
        inverse = np.linalg.inv(self.scale)
        square = (np.einsum("ij,sj->si", inverse, u - self.location) ** 2).sum(axis=1)
        constant = lgamma((nu + d) / 2) - lgamma(nu / 2) - 0.5 * d * np.log(nu * np.pi)
        return constant - float(np.log(np.diag(self.scale)).sum()) - 0.5 * (nu + d) * np.log1p(square / nu)
