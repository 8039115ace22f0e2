"""Pipeline `forecast`: forecasts of all series from stored posteriors, without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from retraining.pipelines.climate_brazil.errors import BadInputError
from retraining.pipelines.climate_brazil.frames import forecast_frame
from retraining.structural import Posterior


def batch_forecast(posteriors: Mapping[str, Callable[[], Posterior]], n_ahead: int) -> pl.DataFrame:
    """Forecast every stored posterior `n_ahead` months ahead: (series, date, mean, low_80, high_80, q10, q50, q90), °C.

    Raises:
        BadInputError: there is no posterior to forecast from.
    """
    if not posteriors:
        raise BadInputError("No stored posteriors; train first: `make retrain` or `kedro run --pipelines train`")
    frames = [
        forecast_frame(load().forecast(n_ahead)).insert_column(0, pl.lit(series).alias("series"))
        for series, load in sorted(posteriors.items())
    ]
    return pl.concat(frames)
