"""Two windows: quantiles averaged between the model on the whole history and the same model on its newest years.

    Q(p) = (1 - w) Q_full(p) + w Q_recent(p),   w = 1/3

Averaging quantiles keeps the shape and the sharpness of the two (Lichtendahl, Grushka-Cockayne & Winkler 2013), where a
mixture would be wider than both. E|X - X'| / 2 = int (2 p - 1) Q(p) dp, the mean and E[X; X <= Q(p)] are linear in Q:
CRPS follows exactly from the two mixtures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from .forecast import NEWTON_STEPS, Forecast

Floats = NDArray[np.float64]

RECENT_WEIGHT = 1 / 3
LEVELS = 240  # where a shortest interval may begin


@dataclass(frozen=True, eq=False)
class AveragedForecast(Forecast):
    """Quantiles of `full` and of `recent`, which has the share `weight`; both of the same months.

    AveragedForecast(posterior.forecast(12), recent.forecast(12))
    """

    full: Forecast
    recent: Forecast
    weight: float = RECENT_WEIGHT

    @property
    def months(self) -> NDArray[np.datetime64]:  # type: ignore[override]
        """(H,)."""
        return self.full.months

    def _both(self, full: Floats, recent: Floats) -> Floats:
        return (1 - self.weight) * full + self.weight * recent

    @property
    def mean(self) -> Floats:
        """Average of both means, exact."""
        return self._both(self.full.mean, self.recent.mean)

    @property
    def sd(self) -> Floats:
        """From Var Q = (1 - w)^2 Var Q_full + w^2 Var Q_recent + 2 w (1 - w) Cov, the last from the tables."""
        one, other = self.full.sd, self.recent.sd
        correlation = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(*self._along(LEVELS), strict=True)])
        cross = 2 * self.weight * (1 - self.weight) * correlation * one * other
        return np.sqrt(((1 - self.weight) * one) ** 2 + (self.weight * other) ** 2 + cross)

    def newest(self, months: int) -> "AveragedForecast":
        """The last so many months, or all where there are fewer."""
        return AveragedForecast(self.full.newest(months), self.recent.newest(months), self.weight)

    def _split(self, x: Floats) -> tuple[Floats, Floats]:
        """The quantiles (a, b) of both, of one level, whose average is x: F_full(a) = F_recent(b).

        F_full(a) - F_recent(b(a)) rises with a; Newton's method inside a bracket.
        """
        known = np.where(np.isnan(x), 0.0, x)
        ratio = (1 - self.weight) / self.weight
        low, high = known.copy(), known.copy()
        reach = self.full.sd + self.recent.sd
        while (short := self._gap(low, known, ratio) > 0).any():
            low, reach = np.where(short, low - reach, low), 2 * reach
        reach = self.full.sd + self.recent.sd
        while (short := self._gap(high, known, ratio) < 0).any():
            high, reach = np.where(short, high + reach, high), 2 * reach
        a, small = np.clip(known, low, high), 1e-9 * self.full.sd
        for _ in range(NEWTON_STEPS):
            b = known + ratio * (known - a)
            gap = self.full.cdf_at(a) - self.recent.cdf_at(b)
            slope = self.full.density_at(a) + ratio * self.recent.density_at(b)
            low, high = np.where(gap < 0, a, low), np.where(gap < 0, high, a)
            proposed = a - gap / np.maximum(slope, 1e-300)
            moved = np.where((proposed >= low) & (proposed <= high), proposed, (low + high) / 2)
            done = bool((np.abs(moved - a) <= small).all())
            a = moved
            if done:
                break
        return a, known + ratio * (known - a)

    def _gap(self, a: Floats, x: Floats, ratio: float) -> Floats:
        return self.full.cdf_at(a) - self.recent.cdf_at(x + ratio * (x - a))

    def cdf_at(self, x: Floats) -> Floats:
        """The level whose averaged quantile is x."""
        return np.where(np.isnan(x), np.nan, self.full.cdf_at(self._split(x)[0]))

    def density_at(self, x: Floats) -> Floats:
        """1 / Q'(p) with Q' = (1 - w) / f_full + w / f_recent at the quantiles of both."""
        a, b = self._split(x)
        return 1 / self._both(1 / self.full.density_at(a), 1 / self.recent.density_at(b))

    def quantile_at(self, q: float | Floats) -> Floats:
        """Average of both quantiles, exact."""
        return self._both(self.full.quantile_at(q), self.recent.quantile_at(q))

    def partial_mean(self, x: Floats) -> Floats:
        """E[value; value <= x] = (1 - w) E[X; X <= a] + w E[X'; X' <= b]."""
        a, b = self._split(x)
        return self._both(self.full.partial_mean(a), self.recent.partial_mean(b))

    def half_mean_difference(self) -> Floats:
        """Average of both, exact."""
        return self._both(self.full.half_mean_difference(), self.recent.half_mean_difference())

    def _absolute_error(self, y: Floats) -> Floats:
        a, b = self._split(y)
        below = self.full.cdf_at(a)
        partial = self._both(self.full.partial_mean(a), self.recent.partial_mean(b))
        return np.where(np.isnan(y), np.nan, y * (2 * below - 1) + self.mean - 2 * partial)

    def _interval(self, mass: float) -> tuple[Floats, Floats]:
        """Where it begins is looked up in the tables; that it holds the mass is exact."""
        begin = (1 - mass) * (np.arange(LEVELS) + 0.5) / LEVELS
        low, high = self._looked_up(ndtri(begin)), self._looked_up(ndtri(begin + mass))
        first = begin[np.argmin(high - low, axis=0)]
        return self.quantile_at(first), self.quantile_at(first + mass)

    def _looked_up(self, score: Floats) -> Floats:
        """Averaged quantiles at normal scores (N,), from the tables; (N, H)."""
        rows = [np.array([np.interp(score, s, v) for s, v in _columns(part)]) for part in (self.full, self.recent)]
        return self._both(*rows).T

    def _along(self, levels: int) -> tuple[Floats, Floats]:
        """Quantiles of both at evenly spaced levels, (H, levels)."""
        score = ndtri((np.arange(levels) + 0.5) / levels)
        full, recent = (
            np.array([np.interp(score, s, v) for s, v in _columns(part)]) for part in (self.full, self.recent)
        )
        return full, recent

    def draws(self, n: int, seed: int = 0) -> Floats:
        """Paths of the full window, each month's values moved to the averaged quantile of their level; (n, H)."""
        paths = self.full.draws(n, seed)
        out = np.empty_like(paths)
        for month, (full, recent) in enumerate(zip(_columns(self.full), _columns(self.recent), strict=True)):
            level = np.interp(paths[:, month], full[1], full[0])
            out[:, month] = self._both(paths[:, month], np.interp(level, *recent))
        return out


def _columns(part: Forecast) -> list[tuple[Floats, Floats]]:
    """(normal scores, values) of each month."""
    values, scores = part.table
    return [(scores[:, month], values[:, month]) for month in range(values.shape[1])]
