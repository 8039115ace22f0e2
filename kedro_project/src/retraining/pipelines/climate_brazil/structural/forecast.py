"""A predictive distribution for each month, in the unit of the series: what every form of it can do."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Months = NDArray[np.datetime64]

NEWTON_STEPS = 60
SMALL_STEP = 1e-6  # in standard deviations: an error e becomes e^2, so that what follows such a step is exact
TABLE_NODES, TABLE_TAIL = 64, 1e-4


class Forecast(ABC):
    """One distribution a month, H of them; means, quantiles and CRPS are exact.

    forecast.mean, forecast.quantile([0.1, 0.9]), forecast.interval(0.8), forecast.crps(actual), forecast.draws(100)
    """

    months: Months

    def __len__(self) -> int:
        return int(self.months.size)

    @property
    @abstractmethod
    def mean(self) -> Floats:
        """Exact mean (H,)."""

    @property
    @abstractmethod
    def sd(self) -> Floats:
        """Standard deviation (H,)."""

    @abstractmethod
    def newest(self, months: int) -> "Forecast":
        """The last so many months, or all where there are fewer; without paths through them."""

    @abstractmethod
    def cdf_at(self, x: Floats) -> Floats:
        """P(value <= x) at one point a month, x (H,)."""

    @abstractmethod
    def density_at(self, x: Floats) -> Floats:
        """Density at one point a month, x (H,)."""

    @abstractmethod
    def quantile_at(self, q: float | Floats) -> Floats:
        """Quantile of one level for all months, or of one a month (H,)."""

    @abstractmethod
    def partial_mean(self, x: Floats) -> Floats:
        """E[value; value <= x] at one point a month, x (H,)."""

    @abstractmethod
    def half_mean_difference(self) -> Floats:
        """E|X - X'| / 2 of two independent values (H,)."""

    @abstractmethod
    def draws(self, n: int, seed: int = 0) -> Floats:
        """n draws, (n, H). From a posterior: coherent paths through the months; from a baseline: months apart."""

    @abstractmethod
    def _interval(self, mass: float) -> tuple[Floats, Floats]:
        """Shortest interval that holds `mass`."""

    # Scores, tables and plots ask for the same quantiles and intervals.
    @cached_property
    def _quantiles(self) -> dict[float, Floats]:
        return {}

    @cached_property
    def _intervals(self) -> dict[float, tuple[Floats, Floats]]:
        return {}

    def cdf(self, x: ArrayLike) -> Floats:
        """P(value <= x) for each month; `x` is one number or one a month."""
        return self.cdf_at(np.broadcast_to(np.asarray(x, dtype=float), self.months.shape))

    def quantile(self, q: float | Sequence[float]) -> Floats:
        """Exact quantiles, shape (Q, H); a single q gives one row."""
        levels = np.atleast_1d(np.asarray(q, dtype=float))
        if ((levels <= 0) | (levels >= 1)).any():
            raise ValueError(f"quantile levels must lie strictly between 0 and 1, got {q}")
        for level in levels.tolist():
            if level not in self._quantiles:
                self._quantiles[level] = self.quantile_at(level)
        return np.stack([self._quantiles[level] for level in levels.tolist()])

    def interval(self, mass: float = 0.8) -> tuple[Floats, Floats]:
        """Highest-density interval: the shortest [low, high] that holds `mass`, each (H,)."""
        if not 0 < mass < 1:
            raise ValueError(f"mass must lie strictly between 0 and 1, got {mass}")
        if mass not in self._intervals:
            self._intervals[mass] = self._interval(mass)
        low, high = self._intervals[mass]
        return low.copy(), high.copy()

    def crps(self, actual: ArrayLike) -> Floats:
        """Continuous ranked probability score, in the unit of the series; NaN where `actual` is NaN.

        E|X - y| - E|X - X'| / 2 (Gneiting & Raftery 2007, eq. 21).
        """
        y = np.asarray(actual, dtype=float)
        if y.shape != self.months.shape:
            raise ValueError(f"expected one actual value a month, {len(self)}, got shape {y.shape}")
        return self._absolute_error(y) - self.half_mean_difference()

    def _absolute_error(self, y: Floats) -> Floats:
        """E|X - y| = y (2 F(y) - 1) + E[X] - 2 E[X; X <= y]."""
        return y * (2 * self.cdf_at(y) - 1) + self.mean - 2 * self.partial_mean(y)

    @cached_property
    def table(self) -> tuple[Floats, Floats]:
        """Values (N, H), evenly spaced between far quantiles, and normal scores of their cdf (N, H), increasing.

        A value is nearly linear in its normal score, so that straight lines between 64 nodes are good to 1e-3 sd: for
        draws, whose Monte Carlo error is larger, and for where a shortest interval begins.
        """
        low, high = self.quantile_at(TABLE_TAIL), self.quantile_at(1 - TABLE_TAIL)
        values = low + np.linspace(0, 1, TABLE_NODES)[:, None] * (high - low)
        score = ndtri(np.clip([self.cdf_at(row) for row in values], TABLE_TAIL, 1 - TABLE_TAIL))
        return values, np.maximum.accumulate(score + 1e-12 * np.arange(TABLE_NODES)[:, None])


def systematic(weights: Floats, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """n component indices in random order; each appears within one of n * weight times (Kitagawa 1996)."""
    positions = (np.arange(n) + rng.random()) / n
    index = np.minimum(np.searchsorted(np.cumsum(weights), positions), weights.size - 1)
    return rng.permutation(index)
