"""Naive forecasts to beat, as Gaussian predictive distributions so that CRPS and coverage are defined."""

import numpy as np
from numpy.typing import NDArray

from .errors import TooFewMonthsError
from .forecast import Forecast
from .series import Series

Floats = NDArray[np.float64]

PERIOD = 12


def _forecast(series: Series, mean: Floats, sd: Floats) -> Forecast:
    months = series.last_month + np.arange(1, len(mean) + 1).astype("timedelta64[M]")
    return Forecast(months, np.ones(1), mean[None, :], np.maximum(sd, 1e-6)[None, :])


def _calendar_month(months: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return np.mod(months.astype("datetime64[M]").astype(np.int64), PERIOD)


def _ahead(series: Series, n_ahead: int) -> NDArray[np.datetime64]:
    return series.last_month + np.arange(1, n_ahead + 1).astype("timedelta64[M]")


def seasonal_naive(series: Series, n_ahead: int) -> Forecast:
    """The last observed value of the same calendar month; sd grows with the root of the years it is old.

    Its one-year error is estimated from the differences between months observed in consecutive years.
    """
    difference = series.values[PERIOD:] - series.values[:-PERIOD]
    difference = difference[~np.isnan(difference)]
    if difference.size < 2:
        raise TooFewMonthsError(f"series {series.id!r}: no calendar month is observed in two consecutive years")
    one_year = float(np.sqrt((difference**2).mean()))
    mean, sd = np.empty(n_ahead), np.empty(n_ahead)
    for h in range(n_ahead):
        position = len(series) + h - PERIOD
        years = 1
        while position >= len(series) or (position >= 0 and np.isnan(series.values[position])):
            position, years = position - PERIOD, years + 1
        if position < 0:
            raise TooFewMonthsError(f"series {series.id!r}: a calendar month was never observed; leave out the naive")
        mean[h], sd[h] = series.values[position], one_year * np.sqrt(years)
    return _forecast(series, mean, sd)


def climatology(series: Series, n_ahead: int) -> Forecast:
    """Mean of each calendar month over the training months, with that month's sd and the mean's own error."""
    month, ahead = _calendar_month(series.months), _calendar_month(_ahead(series, n_ahead))
    mean, sd = np.empty(PERIOD), np.empty(PERIOD)
    for m in range(PERIOD):
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
    month, kept = _calendar_month(series.months), series.observed
    x = np.column_stack([month[:, None] == np.arange(PERIOD), np.arange(len(series)) / (10 * PERIOD)]).astype(float)
    return float(np.linalg.lstsq(x[kept], series.values[kept])[0][-1])


def climatology_trend(series: Series, n_ahead: int) -> Forecast:
    """Ordinary least squares on twelve calendar months and one linear trend; the usual prediction variance."""
    month, ahead = _calendar_month(series.months), _calendar_month(_ahead(series, n_ahead))
    kept = series.observed
    position = np.arange(len(series) + n_ahead) / PERIOD
    every = np.column_stack([np.concatenate([month, ahead])[:, None] == np.arange(PERIOD), position]).astype(float)
    x, future = every[: len(series)][kept], every[len(series) :]
    missing = set(ahead.tolist()) - set(month[kept].tolist())
    if missing or kept.sum() <= PERIOD + 1:
        raise TooFewMonthsError(
            f"series {series.id!r}: {int(kept.sum())} observed months do not determine twelve months and a trend"
        )
    inverse = np.linalg.pinv(x.T @ x)
    coefficient = inverse @ (x.T @ series.values[kept])
    residual = series.values[kept] - x @ coefficient
    variance = float((residual**2).sum()) / (kept.sum() - np.linalg.matrix_rank(x))
    spread = 1 + np.einsum("hi,ij,hj->h", future, inverse, future)
    return _forecast(series, future @ coefficient, np.sqrt(variance * spread))
