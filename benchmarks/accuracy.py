"""Benchmark `accuracy`: rolling origins on the real stations, 12 months ahead.

Origins are each October. Those of 1998 to 2007 are for choosing (`python accuracy.py choose`), those of 2008 to
2018 are scored once. Differences to our default are paired month by month; their standard errors are clustered by
origin, because one year's weather hits all stations. FULL=1 runs the slow peers everywhere.

Every scored month stays in `results/accuracy_scores.parquet`; REUSE=1 takes the peers from there and runs only our own
models again, `python accuracy.py plot` draws the calibration plot from it and runs nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import polars as pl
from calibration import draw
from measure import RESULTS, publish
from peers import PEERS, Forecaster, last_years, ours
from stations import origin, real_stations

from retraining.pipelines.climate_brazil.structural import ModelConfig, Series

CHOOSE, REPORT = range(1998, 2008), range(2008, 2019)
SLOW = {"AutoARIMA", "tutorial model"}
SLOW_STATIONS, SLOW_YEARS = ("belem", "recife", "rio"), (2010, 2017)
KEY, COLUMNS = ("station", "year", "month"), ("error", "crps", "in_80", "in_95", "width_80", "pit")
DEFAULT = "ours"
OWN = ours(min_years_own_slope=0)
MODELS: dict[str, Forecaster] = {
    DEFAULT: ours(),
    "ours, slopes not pooled": OWN,
    "ours, matern12": ours(ModelConfig(kernel="matern12")),
}
CANDIDATES: dict[str, Forecaster] = {**MODELS, "climatology + trend": PEERS["climatology + trend"]}
for years in (5, 10, 20):
    CANDIDATES |= {f"last {years} years, {name}": last_years(years, CANDIDATES[name]) for name in list(CANDIDATES)[:2]}
    CANDIDATES[f"last {years} years, climatology"] = last_years(years, PEERS["climatology"])
SHORTEST = 40  # of 60 months observed: with fewer, climatology lacks some calendar months
SCORES = RESULTS / "accuracy_scores.parquet"
HEADER = ["model", "months", "RMSE", "MAE", "CRPS", "in 80 %", "in 95 %", "width 80 %"]
HEADER += ["CRPS less ours", "se", "squared error less ours", "se "]

Key = tuple[str, int, int]
Scores = dict[Key, np.ndarray]


def main(mode: str) -> None:
    """Score every forecaster and print the table."""
    chosen, reuse = mode == "choose", os.environ.get("REUSE") == "1"
    forecasters = list(CANDIDATES) if chosen else [*MODELS, *PEERS]
    scores: dict[str, Scores] = {name: {} for name in forecasters}
    if reuse and not chosen:
        scores |= {name: kept for name, kept in _read().items() if name in PEERS}
    _score_all(scores, CHOOSE if chosen else REPORT)
    if not chosen:
        _write(scores)
        draw({name: _column(scores[name], "pit") for name in (DEFAULT, "climatology + trend")})
    reference = scores[DEFAULT]
    rows = [_row(name, values, reference) for name, values in scores.items()]
    by_station = {
        station: float(np.mean([row[2] for (own, _, _), row in reference.items() if own == station]))
        for station in sorted({station for station, _, _ in reference})
    }
    publish(
        "accuracy_choose" if chosen else "accuracy",
        f"RMSE {rows[0][2]:.3f} °C, CRPS {rows[0][4]:.3f} °C, 80 % coverage {rows[0][5]:.3f}",
        HEADER,
        rows,
        coverage_80_by_station=by_station,
        lowest_station_coverage_80=min(by_station.values()),
        conformal=conformal(reference),
    )


def _score_all(scores: dict[str, Scores], years: Iterable[int]) -> None:
    """Fill in what is not there yet, one process for each core that this one may use."""
    full = os.environ.get("FULL") == "1"
    jobs = [
        (name, station, year)
        for name, kept in scores.items()
        if not kept
        for station in sorted(real_stations())
        for year in years
        if full or name not in SLOW or (station in SLOW_STATIONS and year in SLOW_YEARS)
    ]
    jobs.sort(key=lambda job: job[0] not in SLOW)  # the longest first, or one core waits for the other at the end
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=get_context("spawn")) as pool:
        for done, (job, rows) in enumerate(zip(jobs, pool.map(_score, jobs), strict=True), start=1):
            scores[job[0]] |= {(*job[1:], month): row for month, row in rows}
            if done % 50 == 0:
                print(f"{done} of {len(jobs)} fits", flush=True)


def conformal(scores: Scores, mass: float = 0.8, at_least: int = 3) -> dict[str, float]:
    """Coverage with and without a pooled split-conformal correction of the central interval.

    For each origin, the nominal mass that held `mass` of the months of all earlier origins of this set, all stations
    together (Vovk et al. 2005); the first `at_least` origins only calibrate. Depth |2 F(y) - 1| is the conformity.
    """
    years = sorted({year for _, year, _ in scores})
    depth = {
        year: np.array([abs(2 * row[5] - 1) for (_, own, _), row in scores.items() if own == year]) for year in years
    }
    off, on, masses = [], [], []
    for position in range(at_least, len(years)):
        seen, new = np.concatenate([depth[year] for year in years[:position]]), depth[years[position]]
        masses.append(np.quantile(seen, min(1.0, mass * (1 + 1 / len(seen)))))
        off.append(new <= mass)
        on.append(new <= masses[-1])
    gap = [[abs(one.mean() - mass) for one in kind] for kind in (off, on)]
    return {
        "coverage_off": float(np.concatenate(off).mean()),
        "coverage_on": float(np.concatenate(on).mean()),
        "mean_gap_by_origin_off": float(np.mean(gap[0])),
        "mean_gap_by_origin_on": float(np.mean(gap[1])),
        "mean_nominal_mass_on": float(np.mean(masses)),
    }


def _score(job: tuple[str, str, int]) -> list[tuple[int, np.ndarray]]:
    """The COLUMNS of each observed month of one origin."""
    name, station, year = job
    history, actual = origin(real_stations()[station], f"{year}-10")
    if name.startswith("last 5 ") and history.observed[-60:].sum() < SHORTEST:
        return []
    return scored({**CANDIDATES, **PEERS}[name], history, actual)


def scored(forecaster: Forecaster, history: Series, actual: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Error, crps, in 80 %, in 95 %, width of 80 % and probability integral transform, by month ahead."""
    forecast = forecaster(history, len(actual))
    (low, high), (low_95, high_95) = forecast.interval(0.8), forecast.interval(0.95)
    inside, inside_95 = (low <= actual) & (actual <= high), (low_95 <= actual) & (actual <= high_95)
    columns = [actual - forecast.mean, forecast.crps(actual), inside, inside_95, high - low, forecast.cdf(actual)]
    stacked = np.column_stack(columns)
    return [(int(month), stacked[month]) for month in np.flatnonzero(np.isfinite(actual))]


def _column(values: Scores, name: str) -> np.ndarray:
    return np.array([row[COLUMNS.index(name)] for row in values.values()])


def _row(name: str, values: Scores, reference: Scores) -> list:
    error, crps, in_80, in_95, width, _ = np.array(list(values.values())).T
    shared = [key for key in values if key in reference]
    by_crps = clustered(shared, [values[key][1] - reference[key][1] for key in shared])
    by_square = clustered(shared, [values[key][0] ** 2 - reference[key][0] ** 2 for key in shared])
    pooled = [np.sqrt((error**2).mean()), np.abs(error).mean(), crps.mean(), in_80.mean(), in_95.mean(), width.mean()]
    return [name, len(values), *map(float, pooled), *by_crps, *by_square]


def clustered(keys: Iterable[Key], differences: list[float]) -> tuple[float, float]:
    """Mean difference and its standard error, with origins (years) as clusters."""
    years = np.array([year for _, year, _ in keys])
    values = np.array(differences)
    mean = float(values.mean())
    sums = np.array([(values[years == year] - mean).sum() for year in np.unique(years)])
    clusters = len(sums)
    return mean, float(np.sqrt((sums**2).sum() * clusters / max(clusters - 1, 1)) / len(values))


def _write(scores: dict[str, Scores]) -> None:
    RESULTS.mkdir(exist_ok=True)
    rows = [(name, *key, *map(float, row)) for name, values in scores.items() for key, row in values.items()]
    table = pl.DataFrame(rows, schema=["model", *KEY, *COLUMNS], orient="row")
    small = pl.col(*COLUMNS).cast(pl.Float32)
    table.with_columns(small, pl.col("year", "month").cast(pl.Int16)).write_parquet(SCORES, compression_level=19)


def _read() -> dict[str, Scores]:
    scores: dict[str, Scores] = {}
    for name, station, year, month, *row in pl.read_parquet(SCORES).iter_rows():
        scores.setdefault(name, {})[station, year, month] = np.array(row, dtype=float)
    return scores


if __name__ == "__main__":
    asked = sys.argv[1] if len(sys.argv) > 1 else "report"
    if asked == "plot":
        kept = _read()
        draw({name: _column(kept[name], "pit") for name in (DEFAULT, "climatology + trend")})
    else:
        main(asked)
