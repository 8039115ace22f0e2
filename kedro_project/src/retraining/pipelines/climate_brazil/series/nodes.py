"""Nodes of the namespace `series`: from a shard of the tables to trained, scored and recorded series.

Every node takes and returns dictionaries by series id, so that one failing series stays alone (see isolation.py).
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from retraining.pipelines import climate_brazil
from retraining.pipelines.climate_brazil.errors import UnknownSeriesError
from retraining.pipelines.climate_brazil.series.inputs import Artifacts, Shard, TrainingData, TrainingSettings
from retraining.pipelines.climate_brazil.series.isolation import Failure, SeriesFailedError, each, failures, reasons
from retraining.pipelines.climate_brazil.stations.processing import data_digest, to_series
from retraining.pipelines.climate_brazil.structural import (
    Forecast,
    GroupClimate,
    InferenceConfig,
    ModelConfig,
    Posterior,
    Series,
    Start,
    TooFewMonthsError,
    borrow,
    climatology,
    climatology_trend,
    fit,
    nobody_lends,
    score,
    seasonal_naive,
    skill,
)
from tracked_kedro.kedro_side.code_version import code_version

log = logging.getLogger(__name__)

BASELINES = {
    "seasonal_naive": seasonal_naive,
    "climatology": climatology,
    "climatology_trend": climatology_trend,
}


@dataclass(frozen=True)
class Work:
    """One series to train.

    Attributes:
        training: months before the holdout, °C.
        full: training and held-out months, °C.
        actual: (testing_window,) the held-out months, °C, NaN where missing.
        model: its configuration, with what the other series have taught.
        start: where its fit among the donors ended; None where it was none of them.
        climate: of its group, where a history is too short for a model; None where nobody lends one.
        least: observed months that are not too short.
        fingerprint: hash of data, parameters and code; equal fingerprints mean equal results.
    """

    series: str
    label: str
    training: Series
    full: Series
    actual: np.ndarray
    model: ModelConfig
    start: Start | None
    climate: GroupClimate | None
    least: int
    fingerprint: str


def select_series(data: TrainingData, shard: Shard, settings: TrainingSettings, artifacts: Artifacts) -> dict[str, Any]:
    """The series of this shard that are still to be done, as `Work`, or a `Failure` where one cannot be prepared.

    A series is done when its child run is finished with the same fingerprint and its result is stored.
    """
    parameters = {
        "inference": settings.inference.model_dump(),
        "n_ahead": settings.n_ahead,
        "seed": settings.seed,
        "artifacts": sorted(artifacts.kept),
        "code": code_version(climate_brazil.__name__),
    }
    # Of a fleet's tables a shard reads its own rows only.
    mine = pl.col("series").is_in(list(shard.series)) if shard.series else pl.lit(True)
    tables = (
        table.filter(mine).collect().partition_by("series", as_dict=True, maintain_order=True)
        for table in (data.training, data.holdout)
    )
    kept, held_out = ({series: rows for (series,), rows in table.items()} for table in tables)
    asked = list(shard.series) or list(dict.fromkeys([*kept, *held_out]))

    def prepare(series: str) -> Work:
        if series not in kept and series not in held_out:
            raise UnknownSeriesError(
                f"{series}: the table does not have it; it was in the list of series when the run began"
            )
        held = held_out[series] if series in held_out else kept[series].clear()
        rows = kept[series] if series in kept else _month_before(held)
        history, whole = to_series(rows, series), to_series(pl.concat([rows, held]), series)
        least, own_model, climate = settings.contract.min_months, settings.model, None
        if _observed(whole) >= least:
            # The whole of it only where the part before the held-out months is too short to tell the transform.
            longer = history if _observed(history) >= least else whole
            own_model = data.fleet.model_for(longer, settings.model, settings.min_years_own_slope)
        if _observed(history) < least:
            climate = data.fleet.climate(data.entries[series].get("group", ""))
        facts = {
            **parameters,
            "model": own_model.model_dump(),
            "climate": climate and climate.model_dump(),
            "least": least,
            "training": data_digest(rows),
            "holdout": data_digest(held),
        }
        return Work(
            series=series,
            label=data.entries[series]["label"],
            training=history,
            full=whole,
            actual=to_series(held, series).values,
            model=own_model,
            start=data.fleet.start(series),
            climate=climate,
            least=least,
            fingerprint=hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16],
        )

    prepared = each("select", prepare, dict(zip(asked, asked, strict=True)))
    done = [series for series, work in prepared.items() if _is_done(work, shard)]
    for series in done:
        log.info("%s is done: its child run is finished with fingerprint %s", series, prepared[series].fingerprint)
    return {series: work for series, work in prepared.items() if series not in done}


def _is_done(work: Work | Failure, shard: Shard) -> bool:
    if isinstance(work, Failure):
        return False
    return shard.finished.get(work.series) == work.fingerprint and work.series in shard.results


def _observed(history: Series) -> int:
    return int(history.observed.sum())


def _month_before(held: pl.DataFrame) -> pl.DataFrame:
    """A month without observation: the history of a series that is not older than the months held out."""
    first = held.sort("date").head(1)
    missing = pl.lit(None, dtype=pl.Float64)
    return first.with_columns(date=pl.col("date").dt.offset_by("-1mo"), temperature=missing)


def _fitted(history: Series, one: Work, inference: InferenceConfig, seed: int, start: Start | None) -> Posterior:
    """Its posterior; its group's climatology while it is too short for one.

    Raises:
        TooFewMonthsError: it is too short, and nobody lends a climatology.
    """
    if _observed(history) >= one.least:
        return fit(history, one.model, inference, seed=seed, start=start)
    if one.climate is None:
        raise nobody_lends(history)
    return borrow(history, one.climate, one.model)


def train(work: dict[str, Any], inference: InferenceConfig, seed: int) -> dict[str, Any]:
    """Fit each series on the months before its holdout, starting from its fit among the donors."""
    return each("train", lambda one: _fitted(one.training, one, inference, seed, one.start), work)


def forecast(work: dict[str, Any], fits: dict[str, Any]) -> dict[str, Any]:
    """Forecast the held-out months of each series."""

    def forecast_one(one: Work, posterior: Posterior) -> Forecast:
        held_out = posterior.forecast(len(one.actual))
        # A shard holds many series; the refit needs no more than where this fit ended.
        posterior.forget()
        return held_out

    return each("forecast", forecast_one, work, fits)


def evaluate(work: dict[str, Any], forecasts: dict[str, Any]) -> dict[str, Any]:
    """Score the forecast of the held-out months beside the naive models on the same months (see `score`)."""

    def evaluate_one(one: Work, predicted: Forecast) -> dict[str, float]:
        scores = dict(score(predicted, one.actual))
        for name, baseline in BASELINES.items():
            try:
                naive = score(baseline(one.training, len(one.actual)), one.actual)
            except TooFewMonthsError as error:
                # A naive model that cannot be made says nothing against this one.
                log.warning("%s is not compared with %s: %s", one.series, name, error)
                naive = {}
            scores |= {f"{metric}_{name}": naive.get(metric, math.nan) for metric in ("rmse", "mae", "crps")}
        scores["skill_vs_seasonal_naive"] = skill(scores["crps"], scores["crps_seasonal_naive"])
        scores["n_scored"] = int(np.isfinite(one.actual).sum())
        return scores

    return each("evaluate", evaluate_one, work, forecasts)


def refit(work: dict[str, Any], fits: dict[str, Any], inference: InferenceConfig, seed: int) -> dict[str, Any]:
    """Fit each series again on everything before the cutoff, starting from the first fit."""

    def refit_one(one: Work, first: Posterior) -> Posterior:
        return _fitted(one.full, one, inference, seed, first.start)

    return each("refit", refit_one, work, fits)


def forecast_ahead(posteriors: dict[str, Any], n_ahead: int) -> dict[str, Any]:
    """Forecast the months after the newest observation."""
    return each("forecast_ahead", lambda posterior: posterior.forecast(n_ahead), posteriors)


def check_series(outcome: dict[str, Any]) -> None:
    """Fail the task when a series failed, now that everything else is stored.

    Raises:
        SeriesFailedError: naming each failed series with its reason.
    """
    failed: dict[str, Failure] = failures(outcome)
    if failed:
        raise SeriesFailedError(f"{len(failed)} of {len(outcome)} series failed: {reasons(failed)}")
