"""Benchmark `borrowing`: what a fleet's priors and a second window are worth, by length of history.

Rolling origins on the real stations, each October, 12 months ahead. The series that is forecast is cut to its newest
years, as if its station had opened then; the other stations keep what was observed before the origin. Origins before
2008 are for choosing, those from 2008 on have been seen before. Every difference is paired month by month, its standard
error clustered by origin. `paired` has every origin from 1984 to 2018, whole histories and the models that matter.
STEP=2 takes every second origin.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache

import numpy as np
from accuracy import clustered, scored
from measure import publish, table
from peers import last_years
from stations import origin, real_stations

from retraining.pipelines.climate_brazil.structural import (
    FleetPrior,
    Forecast,
    ModelConfig,
    Series,
    TooFewMonthsError,
    climatology,
    climatology_trend,
    donor_slopes,
    fit,
    learn_fleet,
    with_pooled_slope,
)

CHOOSE, SEEN = range(1984, 2008), range(2008, 2019)
HISTORIES = (None, 10, 5, 3)
SHORTEST = 24  # observed months
Arm = Callable[[Series, int, int], Forecast]
PARTS = {
    "shape": ("shape_prior",),
    "season": ("seasonal_sd",),
    "slope": ("pooled_slope_mean", "pooled_slope_sd"),
}
BEFORE = "before (slopes pooled by least squares)"
ALL = "fleet prior: shape, season, slope"


@cache
def fleet(year: int) -> FleetPrior:
    """What all stations teach that are observed before the origin."""
    known = [origin(one, f"{year}-10")[0] for one in real_stations().values() if _begun(one, year)]
    return learn_fleet([fit(one) for one in known if one.observed.sum() >= SHORTEST])


@cache
def slopes(year: int) -> dict[str, float]:
    """Least-squares slopes of the long histories before the origin."""
    known = {name: origin(one, f"{year}-10")[0] for name, one in real_stations().items() if _begun(one, year)}
    return donor_slopes(known)


def _begun(series: Series, year: int) -> bool:
    return series.first_month < np.datetime64(f"{year}-10")


def before(series: Series, n_ahead: int, year: int) -> Forecast:
    """The engine with the other stations' least-squares slopes as prior."""
    return fit(series, with_pooled_slope(ModelConfig(), series, slopes(year), 100)).forecast(n_ahead)


def borrowed(*parts: str, recent_years: int | None = None, damping: float | None = None, least: bool = False) -> Arm:
    """The engine with these parts of the fleet's prior; `least`: slopes by least squares instead."""

    def forecast(series: Series, n_ahead: int, year: int) -> Forecast:
        model = ModelConfig(recent_years=recent_years, damping=damping)
        whole = fleet(year).model_for(series.id, model)
        kept = {name: getattr(whole, name) for part in parts for name in PARTS[part]}
        own = model.model_copy(update=kept)
        if least:
            own = with_pooled_slope(own, series, slopes(year), 100)
        return fit(series, own).forecast(n_ahead)

    return forecast


ARMS: dict[str, Arm] = {
    BEFORE: before,
    "slope alone": borrowed("slope"),
    "shape alone, slope as before": borrowed("shape", least=True),
    "shape and season, slope as before": borrowed("shape", "season", least=True),
    ALL: borrowed("shape", "season", "slope"),
    f"{ALL}, damped .97": borrowed("shape", "season", "slope", damping=0.97),
    "climatology": lambda series, n_ahead, _: climatology(series, n_ahead),
    "climatology + trend": lambda series, n_ahead, _: climatology_trend(series, n_ahead),
}
LONG: dict[str, Arm] = {
    "as before, two windows": borrowed(least=True, recent_years=10),
    f"{ALL}, two windows": borrowed("shape", "season", "slope", recent_years=10),
    "shape and season, slope as before, two windows": borrowed("shape", "season", least=True, recent_years=10),
}
EXPLORED = ("slope alone", "shape alone, slope as before", f"{ALL}, damped .97")  # on origins before 2008 only
REFERENCES = (BEFORE, "climatology + trend")
HEADER = [
    "history",
    "model",
    "months",
    "RMSE",
    "CRPS",
    "in 80 %",
    "in 95 %",
    "lowest station",
    "CRPS less before",
    "se",
]
HEADER += ["CRPS less climatology + trend", "se "]


def main(mode: str) -> None:
    """Score every arm on every history, publish one table."""
    origins = {"choose": CHOOSE, "seen": SEEN, "paired": range(CHOOSE.start, SEEN.stop)}[mode]
    years = [*origins][:: int(os.environ.get("STEP") or 1)]
    rows = []
    for history in HISTORIES if mode != "paired" else HISTORIES[:1]:
        arms = {name: arm for name, arm in ARMS.items() if mode != "seen" or name not in EXPLORED}
        arms |= LONG if history is None else {}
        if mode == "paired":
            arms = {name: (ARMS | LONG)[name] for name in (*REFERENCES, f"{ALL}, two windows")}
        label = f"last {history} years" if history else "full"
        reference = {name: _scores(ARMS[name], history, years) for name in REFERENCES}
        for name, arm in arms.items():
            rows.append([label, name, *_row(reference.get(name) or _scores(arm, history, years), reference)])
            print(table(HEADER, rows[-1:]).splitlines()[-1], flush=True)
    publish(f"borrowing_{mode}", f"{len(rows)} rows, origins {years[0]} to {years[-1]}", HEADER, rows)


def _scores(arm: Arm, history: int | None, years: list[int]) -> dict[tuple[str, int, int], np.ndarray]:
    out = {}
    for name, series in sorted(real_stations().items()):
        for year in years:
            if not _begun(series, year):
                continue
            known, actual = origin(series, f"{year}-10")
            if known.newest(12 * (history or 1000)).observed.sum() < SHORTEST or not np.isfinite(actual).any():
                continue

            def forecaster(cut: Series, n_ahead: int, year: int = year) -> Forecast:
                return arm(cut, n_ahead, year)

            try:
                rows = scored(last_years(history, forecaster) if history else forecaster, known, actual)
            except TooFewMonthsError:
                continue
            out |= {(name, year, month): row for month, row in rows}
    return out


def _row(own: dict, reference: dict) -> list:
    error, crps, in_80, in_95 = np.array(list(own.values())).T[:4]
    stations = sorted({key[0] for key in own})
    lowest = min(np.mean([row[2] for key, row in own.items() if key[0] == one]) for one in stations)
    pairs = []
    for other in reference.values():
        shared = [key for key in own if key in other]
        pairs += clustered(shared, [own[key][1] - other[key][1] for key in shared])
    rmse = np.sqrt((error**2).mean())
    return [len(own), *map(float, (rmse, crps.mean(), in_80.mean(), in_95.mean(), lowest)), *pairs]


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "choose")
