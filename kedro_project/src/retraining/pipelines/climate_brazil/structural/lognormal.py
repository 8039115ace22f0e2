"""A mixture of log-normals for each month: the forecast of a series that was modelled by its logarithm."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from .forecast import Forecast
from .mixture import MOST_NODES, REACH, Mixture

Floats = NDArray[np.float64]

# With its spread unknown, a log-normal has no mean: components wider than so many typical ones are cut to that. Those
# carry next to no weight, so that quantiles hardly move, while a mean of exp(s^2 / 2) would be theirs alone.
WIDEST = 3.0


@dataclass(frozen=True, eq=False)
class LogMixture(Forecast):
    """exp(X) of a mixture X of Gaussians: quantiles go back exactly, means by those of log-normals.

    LogMixture.of(Mixture(months, weights, means, sds))
    """

    log: Mixture

    @classmethod
    def of(cls, log: Mixture) -> "LogMixture":
        """With the widest components cut (see WIDEST)."""
        order = np.argsort(log.sds, axis=0)
        middle = np.argmax(np.cumsum(log.weights[order], axis=0) >= 0.5, axis=0)
        typical = np.take_along_axis(np.take_along_axis(log.sds, order, 0), middle[None], 0)[0]
        return cls(Mixture(log.months, log.weights, log.means, np.minimum(log.sds, WIDEST * typical), log.paths))

    @property
    def months(self) -> NDArray[np.datetime64]:  # type: ignore[override]
        """(H,)."""
        return self.log.months

    @property
    def _means(self) -> Floats:
        return np.exp(self.log.means + 0.5 * self.log.sds**2)

    @property
    def mean(self) -> Floats:
        """sum_s w_s exp(m_s + s_s^2 / 2)."""
        return self.log.weights @ self._means

    @property
    def sd(self) -> Floats:
        """From E[exp(2 X)] = sum_s w_s exp(2 m_s + 2 s_s^2)."""
        own = self._means
        spread = own**2 * np.expm1(self.log.sds**2) + (own - self.mean) ** 2
        return np.sqrt(self.log.weights @ spread)

    def newest(self, months: int) -> "LogMixture":
        """The last so many months, or all where there are fewer."""
        return LogMixture(self.log.newest(months))

    def cdf_at(self, x: Floats) -> Floats:
        """P(value <= x) at one point a month; nothing is below zero."""
        return np.where(x > 0, self.log.cdf_at(_log(x)), 0.0) + 0 * x  # NaN stays NaN

    def density_at(self, x: Floats) -> Floats:
        """Density at one point a month."""
        return np.where(x > 0, self.log.density_at(_log(x)) / np.where(x > 0, x, 1.0), 0.0)

    def quantile_at(self, q: float | Floats) -> Floats:
        """exp of the logarithm's quantile."""
        return np.exp(self.log.quantile_at(q))

    def partial_mean(self, x: Floats) -> Floats:
        """E[value; value <= x] = sum_s w_s exp(m_s + s_s^2 / 2) Phi(z_s - s_s)."""
        z = (_log(x) - self.log.means) / self.log.sds
        return np.where(x > 0, self.log.weights @ (self._means * ndtr(z - self.log.sds)), 0.0)

    def half_mean_difference(self) -> Floats:
        """Integral of F (1 - F) exp(v) over v = log x, by the trapezoid rule as for the Gaussians."""
        means, sds = self.log.means, self.log.sds
        low, high = (means - REACH * sds).min(axis=0), (means + sds**2 + REACH * sds).max(axis=0)
        nodes = int(np.clip(np.ceil(((high - low) / sds.min(axis=0)).max()), 24, MOST_NODES))
        step = (high - low) / nodes
        total = np.zeros(len(self))
        for i in range(1, nodes):
            v = low + i * step
            cdf = self.log.cdf_at(v)
            total += cdf * (1 - cdf) * np.exp(v)
        return total * step

    def draws(self, n: int, seed: int = 0) -> Floats:
        """exp of the logarithm's draws, (n, H)."""
        return np.exp(self.log.draws(n, seed))

    def _interval(self, mass: float) -> tuple[Floats, Floats]:
        low, high = self.log.shortest(mass, tilt=1.0)
        return np.exp(low), np.exp(high)


def _log(x: Floats) -> Floats:
    """log x, with a finite stand-in where x is not above zero; NaN stays."""
    return np.log(np.where(x <= 0, 1.0, x))
