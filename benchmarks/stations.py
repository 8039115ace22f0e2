"""The real stations as series, for benchmarks and nothing else."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from retraining.pipelines.climate_brazil.stations.parsing import parse_station
from retraining.pipelines.climate_brazil.stations.processing import to_series
from retraining.pipelines.climate_brazil.stations.sheet import read_sheet
from retraining.pipelines.climate_brazil.structural import Series

ROOT = Path(__file__).resolve().parents[1]
# As the pipeline's `history_start`: what came before has another trend, and made forecasts slightly worse.
HISTORY_START = np.datetime64("1961-01")


@cache
def real_stations() -> dict[str, Series]:
    """Series by id from `HISTORY_START` on, °C; ends with a clear message where the files are absent."""
    data = Path(os.environ.get("RETRAINING_TEST_DATA") or ROOT.parent / "shared" / "data")
    files = sorted((data / "stations").glob("station_*.csv"))
    if not files:
        sys.exit(f"No station files under {data / 'stations'}: RETRAINING_TEST_DATA names the folder with stations/")
    series = {}
    for file in files:
        name = file.stem.removeprefix("station_")
        table = parse_station(read_sheet(file.read_bytes(), file.name), file=file.name).table(name)
        kept = table.filter(pl.col("date") >= HISTORY_START.astype("datetime64[D]").item())
        series[name] = to_series(kept, name)
    return series


def origin(series: Series, month: str, n_ahead: int = 12) -> tuple[Series, np.ndarray]:
    """The series up to and including `month`, and the `n_ahead` months after it (NaN = missing or not there)."""
    length = int((np.datetime64(month, "M") - series.first_month).astype(int)) + 1
    actual = np.full(n_ahead, np.nan)
    after = series.values[length : length + n_ahead]
    actual[: len(after)] = after
    return Series(series.id, series.first_month, series.values[:length]), actual
