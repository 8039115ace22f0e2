"""A forecast for a series that is too short for a model of its own: the climatology of its group, shifted to its level.

On the scale of the model (the logarithm where the fleet is modelled by that) each donor i gives its calendar means
m_i(c) around their own mean, the variance of its values around them, w_i, and that of its yearly means, d_i:

    mean(c)      = level + average over donors of m_i(c),   level = mean of (own value - average m(c)), n values
    variance(c)  = mean w_i + mean d_i + (mean w_i) / n + variance over donors of m_i(c)

Without an own value the level is the average of the donors' levels, and their variance is added. Wide on purpose: a
level that is known from a few months moves as much as a year of a donor does.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .baselines import season_of
from .errors import TooFewMonthsError
from .forecast import Forecast
from .lognormal import LogMixture
from .mixture import Mixture
from .series import PERIOD, Series

Floats = NDArray[np.float64]

LEAST_YEARS = 2


def group_climatology(series: Series, donors: Sequence[Series], n_ahead: int, log: bool = False) -> Forecast:
    """Months 1 to n_ahead after the last, in the unit of the series; by logarithms where `log` says so.

    group_climatology(new, [one for one in fleet if groups[one.id] == groups[new.id]], 12)

    Donors with a value that is not above zero lend nothing by logarithms, and a series that has one itself is never
    taken by them.

    Raises:
        TooFewMonthsError: no donor has two years in which every month (quarter) was observed twice.
    """
    log = log and _positive(series)
    usable = [one for one in donors if one.id != series.id and _complete(one) and (_positive(one) or not log)]
    if not usable:
        raise TooFewMonthsError(
            f"series {series.id!r}: {int(series.observed.sum())} observed months and no other series of "
            f"{LEAST_YEARS} years or more to borrow a climatology from; give it a longer history or leave it out"
        )
    parts = zip(*(_parts(one, log) for one in usable), strict=True)
    shapes, levels, within, between = (np.array(part) for part in parts)
    shape, noise = shapes.mean(axis=0), float(within.mean())
    spread = shapes.var(axis=0, ddof=1) if len(usable) > 1 else np.full(shape.shape, noise)
    own, kept = _values(series, log), series.observed
    if kept.any():
        level = float((own[kept] - shape[season_of(series.months, series.step)[kept]]).mean())
        uncertain = noise / kept.sum()
    else:
        level, uncertain = float(levels.mean()), float(levels.var()) + noise
    months = series.ahead(n_ahead)
    season = season_of(months, series.step)
    sd = np.sqrt(noise + float(between.mean()) + uncertain + spread[season])
    mixture = Mixture(months, np.ones(1), (level + shape[season])[None], sd[None])
    return LogMixture(mixture) if log else mixture


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
    return means - means.mean(), float(means.mean()), float(rest.var()), float(yearly.var())
