"""A tracking store with monthly runs and made-up forecasts: what the forecasts page reads, for any number of series."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from mlflow.tracking import MlflowClient

MODEL = "made-up"
EXPERIMENT = "made_up"
_LEVELS = {"q025": -1.96, "q10": -1.2816, "q25": -0.6745, "q50": 0.0, "q75": 0.6745, "q90": 1.2816, "q975": 1.96}
_SD = 0.6


@dataclass(frozen=True)
class StoredForecasts:
    """Monthly runs of an experiment, the oldest first.

    Attributes:
        parents: run ids by month.
        children: run ids by month and series.
    """

    client: MlflowClient
    parents: dict[str, str]
    children: dict[tuple[str, str], str]


def month_after(first: date, count: int) -> date:
    number = first.year * 12 + first.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def value(series: int, month: date, noise: bool = True) -> float:
    """What is observed; what is forecast is the same without the noise."""
    season = 2.5 * np.cos(2 * np.pi * (month.month - 1 + series % 12) / 12)
    random = np.random.default_rng(series * 100_000 + month.year * 12 + month.month).normal(0, _SD) if noise else 0.0
    return float(24 + (series % 7) + season + random)


def forecasts(series: Sequence[str], cutoff: date, ahead: int = 12, held_out: int = 12) -> pl.DataFrame:
    """`forecasts/forecasts.parquet`, whose cutoff is the first month that is not read."""
    rows = []
    for place, name in enumerate(series):
        for step in range(-held_out, ahead):
            month = month_after(cutoff, step)
            mean = value(place, month, noise=False)
            rows.append(
                {
                    "series": name,
                    "kind": "heldout" if step < 0 else "ahead",
                    "date": month,
                    "horizon": step + 1 + (held_out if step < 0 else 0),
                    "mean": mean,
                    "sd": _SD,
                    **{level: mean + z * _SD for level, z in _LEVELS.items()},
                    "observed": value(place, month) if step < 0 else None,
                    "seasonal_naive": mean,
                    "climatology": mean,
                }
            )
    return pl.DataFrame(rows, schema_overrides={"observed": pl.Float64})


def overview(series: Sequence[str], cutoff: date, children: dict[str, str]) -> pl.DataFrame:
    """`forecasts/overview.parquet`; the last series is quarantined, the two before it degraded and stale."""
    rows = []
    for place, name in enumerate(series):
        mean = value(place, cutoff, noise=False)
        set_aside = place == len(series) - 1
        rows.append(
            {
                "series": name,
                "label": f"Série {place:05d}" if place else "Belém <b>",
                "status": "quarantined" if set_aside else "finished",
                "degraded": place == len(series) - 2,
                "stale": place == len(series) - 3,
                "reason": "column JAN is text" if set_aside else None,
                "last_observation": month_after(cutoff, -1),
                "age_months": 0,
                "next_date": None if set_aside else cutoff,
                "next_mean": None if set_aside else mean,
                "next_q10": None if set_aside else mean - 0.77,
                "next_q90": None if set_aside else mean + 0.77,
                "rmse": None if set_aside else 0.5 + (place % 10) / 20,
                "crps": None if set_aside else 0.3,
                "coverage_80": None if set_aside else 0.75,
                "skill_vs_seasonal_naive": None if set_aside else (place % 11 - 3) / 20,
                "child_run_id": children.get(name),
                "recent": [
                    None if step == -5 and place % 2 else value(place, month_after(cutoff, step))
                    for step in range(-36, 0)
                ],
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def history(place: int, cutoff: date, years: int = 20) -> pl.DataFrame:
    """A child's `series.parquet`."""
    months = [month_after(cutoff, step) for step in range(-12 * years, 0)]
    fitted = np.array([value(place, month, noise=False) for month in months])
    return pl.DataFrame(
        {
            "date": months,
            "observed": [None if step % 17 == 3 else value(place, month) for step, month in enumerate(months)],
            "fitted": fitted,
            "fitted_q10": fitted - 0.77,
            "fitted_q90": fitted + 0.77,
            "trend": 24 + place % 7 + np.linspace(-0.5, 0.5, len(months)),
            "seasonal": fitted - 24 - place % 7,
        }
    )


def store_months(
    client: MlflowClient,
    months: int,
    n_series: int,
    newest: date = date(2019, 10, 1),
    with_children: int = 12,
    tags: dict[str, str] | None = None,
) -> StoredForecasts:
    """Log that many monthly runs; the newest has read up to the month `newest` and is the challenger, the one before it
    the champion. Only the first series get child runs: a store takes minutes for ten thousand.
    """
    series = [f"s{place:05d}" for place in range(n_series)]
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    parents, children = {}, {}
    for back in reversed(range(months)):
        last = month_after(newest, -back)
        cutoff = month_after(last, 1)
        month = f"{last:%Y-%m}"
        parent = client.create_run(
            experiment,
            run_name=f"{EXPERIMENT} {month}",
            tags={"cutoff": cutoff.isoformat(), "unit": "°C", "simulated": "true", **(tags or {})},
        ).info.run_id
        own = {}
        for place, name in enumerate(series[:with_children]):
            child = client.create_run(experiment, tags={"mlflow.parentRunId": parent, "series": name}, run_name=name)
            own[name] = child.info.run_id
            client.log_metric(child.info.run_id, "k_hat", -0.21)
            _log(client, child.info.run_id, "series.parquet", history(place, cutoff))
            client.set_terminated(child.info.run_id)
        _log(client, parent, "forecasts/overview.parquet", overview(series, cutoff, own))
        _log(client, parent, "forecasts/forecasts.parquet", forecasts(series, cutoff))
        client.set_terminated(parent)
        parents[month] = parent
        children |= {(month, name): run for name, run in own.items()}
    _register(client, list(parents.values()))
    return StoredForecasts(client, parents, children)


def _log(client: MlflowClient, run_id: str, path: str, table: pl.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(path).name
        table.write_parquet(file)
        parent = str(Path(path).parent)
        client.log_artifact(run_id, str(file), None if parent == "." else parent)


def _register(client: MlflowClient, parents: list[str]) -> None:
    client.create_registered_model(MODEL)
    for parent in parents[-2:]:
        version = client.create_model_version(
            MODEL, source=client.get_run(parent).info.artifact_uri, run_id=parent, tags={"parent_run_id": parent}
        )
        client.set_registered_model_alias(MODEL, "challenger", version.version)
        if parent == parents[-2:][0]:
            client.set_registered_model_alias(MODEL, "champion", version.version)
