"""Forecasters that people use today, each as a function from a series to a predictive distribution."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from stations import real_stations

from retraining.pipelines.climate_brazil.structural import (
    Forecast,
    Mixture,
    ModelConfig,
    Series,
    climatology,
    climatology_trend,
    donor_slopes,
    fit,
    seasonal_naive,
    with_pooled_slope,
)

Forecaster = Callable[[Series, int], Forecast]
PERIOD = 12


def ours(model: ModelConfig | None = None, min_years_own_slope: float = 100) -> Forecaster:
    """The engine with a configuration, and with slopes pooled over the other stations as in the pipeline."""

    def forecast(series: Series, n_ahead: int) -> Forecast:
        known = {
            name: one.until(min(one.last_month, series.last_month))
            for name, one in real_stations().items()
            if one.first_month < series.last_month
        }
        pooled = with_pooled_slope(model or ModelConfig(), series, donor_slopes(known), min_years_own_slope)
        return fit(series, pooled).forecast(n_ahead)

    return forecast


def last_years(years: int, forecaster: Forecaster) -> Forecaster:
    """The forecaster on the newest `years` of a series only, as if its station had opened then."""

    def forecast(series: Series, n_ahead: int) -> Forecast:
        kept = min(12 * years, len(series))
        return forecaster(Series(series.id, series.last_month - (kept - 1), series.values[-kept:]), n_ahead)

    return forecast


def tutorial(series: Series, n_ahead: int) -> Forecast:
    """The tutorial model with nutpie; its draws as a mixture of narrow Gaussians."""
    from tutorial_model import fit_and_forecast

    draws = fit_and_forecast(series, "nutpie", n_ahead).draws[::4]
    width = 0.3 * draws.std(axis=0) * len(draws) ** -0.2  # kernel smoothing, a tenth of Silverman's variance
    weights = np.full(len(draws), 1 / len(draws))
    return Mixture(_ahead(series, n_ahead), weights, draws, np.broadcast_to(width, draws.shape).copy())


def statsforecast(name: str) -> Forecaster:
    """AutoETS, AutoARIMA or AutoTheta; Gaussian with the mean and the 80 % interval that it gives.

    These need a gapless series: a missing month takes its calendar month's mean plus the interpolated anomaly.
    """

    def forecast(series: Series, n_ahead: int) -> Forecast:
        import statsforecast.models

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = getattr(statsforecast.models, name)(season_length=PERIOD)
            result = model.forecast(y=_filled(series), h=n_ahead, level=[80])
        sd = (result["hi-80"] - result["lo-80"]) / (2 * NormalDist().inv_cdf(0.9))
        mean, sd = np.asarray(result["mean"], float), np.maximum(np.asarray(sd, float), 1e-6)
        return Mixture(_ahead(series, n_ahead), np.ones(1), mean[None, :], sd[None, :])

    return forecast


PEERS: dict[str, Forecaster] = {
    "climatology + trend": climatology_trend,
    "seasonal naive": seasonal_naive,
    "climatology": climatology,
    "AutoETS": statsforecast("AutoETS"),
    "AutoTheta": statsforecast("AutoTheta"),
    "AutoARIMA": statsforecast("AutoARIMA"),
    "tutorial model": tutorial,
}


def _ahead(series: Series, n_ahead: int) -> np.ndarray:
    return series.first_month + np.arange(len(series.values), len(series.values) + n_ahead).astype("timedelta64[M]")


def _filled(series: Series) -> np.ndarray:
    position = np.arange(len(series.values))
    calendar = position % PERIOD
    means = np.array([np.nanmean(series.values[calendar == month]) for month in range(PERIOD)])
    anomaly = series.values - means[calendar]
    observed = np.isfinite(anomaly)
    return means[calendar] + np.interp(position, position[observed], anomaly[observed])
