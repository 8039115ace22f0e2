"""Pipeline `forecast`: forecasts of all series by a version of the registered model, without training."""

from __future__ import annotations

import polars as pl

from retraining.pipelines.climate_brazil.champion.nodes import POSTERIORS
from retraining.pipelines.climate_brazil.series.frames import forecast_frame
from retraining.pipelines.climate_brazil.structural import Fleet
from tracked_kedro.promotion.evidence import Version


def batch_forecast(version: Version, n_ahead: int) -> tuple[pl.DataFrame, dict[str, str]]:
    """Forecast every series `n_ahead` months ahead.

    Returns:
        (series, date, mean, low_80, high_80, q10, q50, q90) in °C, and tags of the run: which version it was.
    """
    fleet = Fleet(version.file(POSTERIORS))
    frames = [
        forecast_frame(fleet.posterior(series).forecast(n_ahead)).insert_column(0, pl.lit(series).alias("series"))
        for series in fleet.ids
    ]
    return pl.concat(frames), {"model_version": f"{version.model}/{version.number}"}
