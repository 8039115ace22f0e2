"""Benchmark `accuracy`: rolling origins on the real stations, 12 months ahead.

Origins are each October. Those of 1998 to 2007 are for choosing (`python accuracy.py choose`), those of 2008 to
2018 are scored once. Differences to our default are paired month by month; their standard errors are clustered by
origin, because one year's weather hits all stations. FULL=1 runs the slow peers everywhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from measure import publish
from peers import PEERS, Forecaster, ours
from stations import origin, real_stations

from retraining.structural import ModelConfig, Series

CHOOSE, REPORT = range(1998, 2008), range(2008, 2019)
SLOW = {"AutoARIMA", "tutorial model"}
SLOW_STATIONS, SLOW_YEARS = ("belem", "recife", "rio"), (2010, 2017)
COLUMNS = ("error", "crps", "in_80", "in_95", "width_80")
MODELS: dict[str, Forecaster] = {"ours (matern32)": ours(), "ours (matern12)": ours(ModelConfig(kernel="matern12"))}


def main() -> None:
    """Score every forecaster and print the table."""
    chosen = sys.argv[1:] == ["choose"]
    years, full = (CHOOSE if chosen else REPORT), os.environ.get("FULL") == "1"
    forecasters = MODELS if chosen else {**MODELS, **PEERS}
    jobs = [
        (name, station, year)
        for name in forecasters
        for station in sorted(real_stations())
        for year in years
        if full or name not in SLOW or (station in SLOW_STATIONS and year in SLOW_YEARS)
    ]
    scores: dict[str, dict[tuple[str, int, int], np.ndarray]] = {name: {} for name in forecasters}
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for done, (job, rows) in enumerate(zip(jobs, pool.map(_score, jobs, chunksize=4), strict=True), start=1):
            scores[job[0]] |= {(*job[1:], month): row for month, row in rows}
            if done % 50 == 0:
                print(f"{done} of {len(jobs)} fits", flush=True)
    reference = scores["ours (matern32)"]
    rows = [_row(name, values, reference) for name, values in scores.items()]
    pooled = rows[0]
    by_station = _by_station(reference)
    name = "accuracy_choose" if chosen else "accuracy"
    publish(
        name,
        f"RMSE {pooled[2]:.3f} °C, CRPS {pooled[4]:.3f} °C, 80 % coverage {pooled[5]:.3f}",
        [
            "model",
            "months",
            "RMSE",
            "MAE",
            "CRPS",
            "in 80 %",
            "in 95 %",
            "width 80 %",
            "CRPS less ours",
            "se",
            "squared error less ours",
            "se ",
        ],
        rows,
        coverage_80_by_station=by_station,
        lowest_station_coverage_80=min(by_station.values()),
    )


def _score(job: tuple[str, str, int]) -> list[tuple[int, np.ndarray]]:
    """(error, crps, in 80 %, in 95 %, width of 80 %) of each observed month of one origin."""
    name, station, year = job
    history, actual = origin(real_stations()[station], f"{year}-10")
    return _scored({**MODELS, **PEERS}[name], history, actual)


def _scored(forecaster: Forecaster, history: Series, actual: np.ndarray) -> list[tuple[int, np.ndarray]]:
    forecast = forecaster(history, len(actual))
    crps = forecast.crps(actual)
    (low, high), (low_95, high_95) = forecast.interval(0.8), forecast.interval(0.95)
    columns = np.column_stack(
        [
            actual - forecast.mean,
            crps,
            (low <= actual) & (actual <= high),
            (low_95 <= actual) & (actual <= high_95),
            high - low,
        ]
    )
    return [(month, columns[month]) for month in np.flatnonzero(np.isfinite(actual))]


def _row(name: str, values: dict, reference: dict) -> list:
    scores = np.array(list(values.values()))
    error, crps, in_80, in_95, width = scores.T
    shared = [key for key in values if key in reference]
    by_crps = _clustered(shared, [values[key][1] - reference[key][1] for key in shared])
    by_square = _clustered(shared, [values[key][0] ** 2 - reference[key][0] ** 2 for key in shared])
    return [
        name,
        len(scores),
        np.sqrt((error**2).mean()),
        np.abs(error).mean(),
        crps.mean(),
        in_80.mean(),
        in_95.mean(),
        width.mean(),
        *by_crps,
        *by_square,
    ]


def _clustered(keys: Iterable[tuple[str, int, int]], differences: list[float]) -> tuple[float, float]:
    """Mean difference and its standard error, with origins (years) as clusters."""
    years = np.array([year for _, year, _ in keys])
    values = np.array(differences)
    mean = values.mean()
    sums = np.array([(values[years == year] - mean).sum() for year in np.unique(years)])
    clusters = len(sums)
    return mean, float(np.sqrt((sums**2).sum() * clusters / max(clusters - 1, 1)) / len(values))


def _by_station(reference: dict) -> dict[str, float]:
    stations = sorted({station for station, _, _ in reference})
    return {
        station: float(np.mean([row[2] for (own, _, _), row in reference.items() if own == station]))
        for station in stations
    }


if __name__ == "__main__":
    main()
