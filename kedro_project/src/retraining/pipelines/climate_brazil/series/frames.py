"""Forecasts as tables."""

from __future__ import annotations

import numpy as np
import polars as pl

from retraining.pipelines.climate_brazil.structural import Forecast

_QUANTILES = (0.1, 0.5, 0.9)


def dates(months: np.ndarray) -> pl.Series:
    """Months (datetime64[M]) as first days of months."""
    return pl.Series("date", months.astype("datetime64[D]")).cast(pl.Date)


def forecast_frame(forecast: Forecast) -> pl.DataFrame:
    """One row per month: date, mean, 80 % highest-density interval (low_80, high_80), q10, q50, q90, all in °C."""
    q10, q50, q90 = forecast.quantile(_QUANTILES)
    return band_frame(forecast).with_columns(q10=q10, q50=q50, q90=q90)


def band_frame(forecast: Forecast) -> pl.DataFrame:
    """One row per month: date, mean and 80 % highest-density interval (low_80, high_80), °C."""
    low, high = forecast.interval(0.8)
    return pl.DataFrame({"date": dates(forecast.months), "mean": forecast.mean, "low_80": low, "high_80": high})


def observed_frame(months: np.ndarray, values: np.ndarray) -> pl.DataFrame:
    """One row per month: date, temperature (°C, null = missing)."""
    return pl.DataFrame({"date": dates(months), "temperature": values}).with_columns(
        pl.col("temperature").fill_nan(None)
    )
