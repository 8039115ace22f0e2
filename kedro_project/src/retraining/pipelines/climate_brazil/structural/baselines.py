"""Naive forecasts to beat, as Gaussian predictive distributions so that CRPS and coverage are defined."""

import numpy as np
from numpy.typing import NDArray

from .errors import TooFewMonthsError
from .forecast import Forecast
from .mixture import Mixture
from .series import PERIOD, Series

Floats = NDArray[np.float64]


def _forecast(series: Series, mean: Floats, sd: Floats) -> Forecast:
    return Mixture(series.ahead(len(mean)), np.ones(1), mean[None, :], np.maximum(sd, 1e-6)[None, :])


def season_of(months: NDArray[np.datetime64], step: int) -> NDArray[np.int64]:
    """Calendar month (quarter) of each month, from 0."""
    return np.mod(months.astype("datetime64[M]").astype(np.int64), PERIOD) // step


def seasonal_naive(series: Series, n_ahead: int) -> Forecast:
    """The last observed value of the same calendar month; sd grows with the root of the years it is old.

    Its one-year error is estimated from the differences between months observed in consecutive years.
    """
    period = PERIOD // series.step
    difference = series.values[period:] - series.values[:-period]
    difference = difference[~np.isnan(difference)]
    if difference.size < 2:
        raise TooFewMonthsError(f"series {series.id!r}: no calendar month is observed in two consecutive years")
    one_year = float(np.sqrt((difference**2).mean()))
    mean, sd = np.empty(n_ahead), np.empty(n_ahead)
    for h in range(n_ahead):
        position = len(series) + h - period
        years = 1
        while position >= len(series) or (position >= 0 and np.isnan(series.values[position])):
            position, years = position - period, years + 1
        if position < 0:
            raise TooFewMonthsError(f"series {series.id!r}: a calendar month was never observed; leave out the naive")
        mean[h], sd[h] = series.values[position], one_year * np.sqrt(years)
    return _forecast(series, mean, sd)


def climatology(series: Series, n_ahead: int) -> Forecast:
    """Mean of each calendar month over the training months, with that month's sd and the mean's own error."""
    period = PERIOD // series.step
    month, ahead = season_of(series.months, series.step), season_of(series.ahead(n_ahead), series.step)
    mean, sd = np.empty(period), np.empty(period)
    for m in range(period):
        kept = series.values[(month == m) & series.observed]
        if kept.size < 2:
            if m in ahead:
                raise TooFewMonthsError(
                    f"series {series.id!r}: calendar month {m + 1} has {kept.size} observations; climatology needs 2"
                )
            continue
        mean[m], sd[m] = kept.mean(), kept.std(ddof=1) * np.sqrt(1 + 1 / kept.size)
    return _forecast(series, mean[ahead], sd[ahead])


def climatology_trend_slope(series: Series) -> float:
    """Slope of the least-squares line beside twelve calendar months, degC per decade."""
    period = PERIOD // series.step
    month, kept = season_of(series.months, series.step), series.observed
    x = np.column_stack([month[:, None] == np.arange(period), np.arange(len(series)) / (10 * period)]).astype(float)
    return float(np.linalg.lstsq(x[kept], series.values[kept])[0][-1])


def climatology_trend(series: Series, n_ahead: int) -> Forecast:
    """Ordinary least squares on twelve calendar months and one linear trend; the usual prediction variance."""
    period = PERIOD // series.step
    month, ahead = season_of(series.months, series.step), season_of(series.ahead(n_ahead), series.step)
    kept = series.observed
    position = np.arange(len(series) + n_ahead) / period
    every = np.column_stack([np.concatenate([month, ahead])[:, None] == np.arange(period), position]).astype(float)
    x, future = every[: len(series)][kept], every[len(series) :]
    missing = set(ahead.tolist()) - set(month[kept].tolist())
    if missing or kept.sum() <= period + 1:
        raise TooFewMonthsError(
            f"series {series.id!r}: {int(kept.sum())} observed months do not determine twelve months and a trend"
        )
    inverse = np.linalg.pinv(x.T @ x)
    coefficient = inverse @ (x.T @ series.values[kept])
    residual = series.values[kept] - x @ coefficient
    variance = float((residual**2).sum()) / (kept.sum() - np.linalg.matrix_rank(x))
    spread = 1 + np.einsum("hi,ij,hj->h", future, inverse, future)
    return _forecast(series, future @ coefficient, np.sqrt(variance * spread))
