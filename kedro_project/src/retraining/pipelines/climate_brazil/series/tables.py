"""Two tables of each series that readers beyond this run rely on: its history with components, and its forecasts."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

from retraining.pipelines.climate_brazil.series.frames import dates
from retraining.pipelines.climate_brazil.series.isolation import each
from retraining.pipelines.climate_brazil.series.nodes import Work
from retraining.pipelines.climate_brazil.structural import (
    Forecast,
    Posterior,
    Series,
    TooFewMonthsError,
    climatology,
    seasonal_naive,
)

QUANTILES = {"q025": 0.025, "q10": 0.1, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q90": 0.9, "q975": 0.975}
NAIVE = {"seasonal_naive": seasonal_naive, "climatology": climatology}

#: Columns of a forecast table: one row per month, all temperatures in °C; null where something is not known.
FORECAST_SCHEMA: dict[str, Any] = {
    "series": pl.String,
    "kind": pl.String,  # heldout: forecast by the first fit, of months it had not seen; ahead: by the refit
    "date": pl.Date,
    "horizon": pl.Int32,  # months after the last one the forecast was made from, 1 and up
    "mean": pl.Float64,
    "sd": pl.Float64,
    **dict.fromkeys(QUANTILES, pl.Float64),
    "observed": pl.Float64,
    **dict.fromkeys(NAIVE, pl.Float64),
}


def forecast_tables(
    work: dict[str, Any], holdout_forecasts: dict[str, Any], forecasts: dict[str, Any]
) -> dict[str, Any]:
    """Held-out and ahead forecasts of each series beside the naive ones, in the columns of `FORECAST_SCHEMA`."""

    def table(one: Work, held_out: Forecast, ahead: Forecast) -> pl.DataFrame:
        unknown = np.full(len(ahead), np.nan)
        return pl.concat(
            [
                _forecast_rows(one.series, "heldout", held_out, one.training, one.actual),
                _forecast_rows(one.series, "ahead", ahead, one.full, unknown),
            ]
        )

    return each("forecast_tables", table, work, holdout_forecasts, forecasts)


def _forecast_rows(series: str, kind: str, forecast: Forecast, history: Series, observed: np.ndarray) -> pl.DataFrame:
    quantiles = forecast.quantile(list(QUANTILES.values()))
    count = len(forecast)
    columns = {
        "series": [series] * count,
        "kind": [kind] * count,
        "date": dates(forecast.months),
        "horizon": np.arange(1, count + 1),
        "mean": forecast.mean,
        "sd": forecast.sd,
        **dict(zip(QUANTILES, quantiles, strict=True)),
        "observed": observed,
        **{name: _naive_mean(baseline, history, count) for name, baseline in NAIVE.items()},
    }
    return pl.DataFrame(columns, schema=FORECAST_SCHEMA).fill_nan(None)


def _naive_mean(baseline: Any, history: Series, count: int) -> np.ndarray:
    try:
        return baseline(history, count).mean
    except TooFewMonthsError:  # `evaluate` has said so
        return np.full(count, np.nan)


def history_table(posterior: Posterior) -> pl.DataFrame:
    """Every month from the first to the last of the series and what the model makes of it, °C.

    date, observed (null = missing), fitted (mean of trend + seasonal), fitted_q10, fitted_q90 (of a new observation in
    that month), trend (level, slope and slow swings), seasonal (around 0).
    """
    fitted, parts = posterior.in_sample(), posterior.components()
    low, high = fitted.quantile([0.1, 0.9])
    return pl.DataFrame(
        {
            "date": dates(posterior.series.months),
            "observed": posterior.series.values,
            "fitted": fitted.mean,
            "fitted_q10": low,
            "fitted_q90": high,
            "trend": parts["trend"],
            "seasonal": parts["seasonality"],
        }
    ).fill_nan(None)


def parquet(table: pl.DataFrame) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
