"""A forecast for a series that is too short for a model of its own: the climatology of its group, shifted to its level.

On the scale of the model (the logarithm where the fleet is modelled by that) each lender i gives its calendar means
m_i(c) around their own mean, the variance of its values around them, w_i, and that of its yearly means, d_i:

    mean(c)      = level + average over lenders of m_i(c),   level = mean of (own value - average m(c)), n values
    variance(c)  = mean w_i + mean d_i + (mean w_i) / n + variance over lenders of m_i(c)

Without an own value the level is the average of the lenders' levels, and their variance is added. Wide on purpose: a
level that is known from a few months moves as much as a year of a lender does.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeFloat

from .baselines import season_of
from .errors import TooFewMonthsError
from .forecast import Forecast
from .lognormal import LogMixture
from .mixture import Mixture
from .series import PERIOD, Series

Floats = NDArray[np.float64]

LEAST_YEARS = 2


class GroupClimate(BaseModel):
    """What the series of a group have in common; small, and plain JSON.

    Attributes:
        log: whether all of it is of the logarithm.
        shape: calendar means around their mean, averaged over the lenders.
        spread: their variance over the lenders.
        noise: mean variance around the calendar means.
        between: mean variance of yearly means.
        level: mean of the lenders' levels.
        levels: their variance.
        lenders: how many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    log: bool
    shape: tuple[float, ...]
    spread: tuple[NonNegativeFloat, ...]
    noise: NonNegativeFloat
    between: NonNegativeFloat
    level: float
    levels: NonNegativeFloat
    lenders: int

    @classmethod
    def of(cls, lenders: Sequence[Series], log: bool = False) -> "GroupClimate | None":
        """From series with two years in which every month (quarter) was observed; None where none is such a one.

        GroupClimate.of([one for one in fleet if groups[one.id] == "coast"])

        Those with a value that is not above zero lend nothing by logarithms.
        """
        usable = [one for one in lenders if _complete(one) and (_positive(one) or not log)]
        if not usable:
            return None
        parts = zip(*(_parts(one, log) for one in usable), strict=True)
        shapes, levels, within, between = (np.array(part) for part in parts)
        noise = float(within.mean())
        spread = shapes.var(axis=0, ddof=1) if len(usable) > 1 else np.full(shapes.shape[1], noise)
        return cls(
            log=log,
            shape=tuple(shapes.mean(axis=0).tolist()),
            spread=tuple(spread.tolist()),
            noise=noise,
            between=float(between.mean()),
            level=float(levels.mean()),
            levels=float(levels.var()),
            lenders=len(usable),
        )

    def level_of(self, series: Series) -> tuple[float, float]:
        """(level, its variance) of a series, by its own values where it has some."""
        kept = series.observed
        if not kept.any():
            return self.level, self.levels + self.noise
        season = season_of(series.months, series.step)[kept]
        own = _values(series, self.log)[kept] - np.array(self.shape)[season]
        return float(own.mean()), self.noise / float(kept.sum())

    def predictive(self, series: Series, months: NDArray[np.datetime64]) -> Forecast:
        """Of a new observation of `series` in each of the months, in its unit."""
        level, uncertain = self.level_of(series)
        season = season_of(months, series.step)
        sd = np.sqrt(self.noise + self.between + uncertain + np.array(self.spread)[season])
        mixture = Mixture(months, np.ones(1), (level + np.array(self.shape)[season])[None], sd[None])
        return LogMixture(mixture) if self.log else mixture


def group_climatology(series: Series, donors: Sequence[Series], n_ahead: int, log: bool = False) -> Forecast:
    """Months 1 to n_ahead after the last, in the unit of the series; by logarithms where `log` says so.

    group_climatology(new, [one for one in fleet if groups[one.id] == groups[new.id]], 12)

    A series that has a value that is not above zero is never taken by logarithms.

    Raises:
        TooFewMonthsError: no donor has two years in which every month (quarter) was observed twice.
    """
    climate = GroupClimate.of([one for one in donors if one.id != series.id], log and _positive(series))
    if climate is None:
        raise nobody_lends(series)
    return climate.predictive(series, series.ahead(n_ahead))


def nobody_lends(series: Series) -> TooFewMonthsError:
    """The error of a short series without a group."""
    return TooFewMonthsError(
        f"series {series.id!r}: {int(series.observed.sum())} observed months and no other series of "
        f"{LEAST_YEARS} years or more to borrow a climatology from; give it a longer history or leave it out"
    )


def _complete(series: Series) -> bool:
    season = season_of(series.months, series.step)[series.observed]
    return bool((np.bincount(season, minlength=PERIOD // series.step) >= LEAST_YEARS).all())


def _positive(series: Series) -> bool:
    return bool((series.values[series.observed] > 0).all())


def _values(series: Series, log: bool) -> Floats:
    return np.log(np.where(series.observed, series.values, 1.0)) if log else series.values


def _parts(series: Series, log: bool) -> tuple[Floats, float, float, float]:
    """Calendar means around their mean, that mean, variance around them, variance of the yearly means."""
    period, kept = PERIOD // series.step, series.observed
    season, values = season_of(series.months, series.step)[kept], _values(series, log)[kept]
    means = np.array([values[season == one].mean() for one in range(period)])
    rest = values - means[season]
    year = np.arange(len(series))[kept] // period
    yearly = np.array([rest[year == one].mean() for one in np.unique(year)])
    # Each calendar mean has taken a degree of freedom: half of them all where a lender has two years.
    within = float((rest**2).sum()) / (kept.sum() - period)
    return means - means.mean(), float(means.mean()), within, float(yearly.var())
