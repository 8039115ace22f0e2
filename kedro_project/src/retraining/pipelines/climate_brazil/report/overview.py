"""All series of a run at a glance: one row each, for the report and for pages that show the fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.series.scores import known_score
from tracked_kedro.month import months_between, shifted

SCORES = ("rmse", "crps", "coverage_80", "skill_vs_seasonal_naive")
RECENT = 36  # months of a sparkline
SCHEMA: dict[str, Any] = {
    "series": pl.String,
    "label": pl.String,
    "status": pl.String,  # finished, failed, quarantined, carried_over
    "degraded": pl.Boolean,
    "stale": pl.Boolean,
    "reason": pl.String,
    "last_observation": pl.Date,
    "age_months": pl.Int64,  # before the cutoff; 1 where the last month is observed
    "next_date": pl.Date,
    "next_mean": pl.Float64,
    "next_q10": pl.Float64,
    "next_q90": pl.Float64,
    **dict.fromkeys(SCORES, pl.Float64),
    "child_run_id": pl.String,
    "recent": pl.List(pl.Float64),  # °C, of the 36 months before the cutoff, null where missing
}


@dataclass(frozen=True)
class FleetStatus:
    """What is known of the series of a run beside their numbers.

    Attributes:
        labels: name of each series for people, in the order to show them.
        results: one row a series that was trained, finished or failed (`scores.SCHEMA`).
        quarantine: series, label, file, reason of the stations that were set aside.
        carried_over: series whose forecast is the champion's.
        degraded: reason by series.
        children: id of the child run by series.
    """

    labels: Mapping[str, str]
    results: Sequence[Mapping[str, Any]]
    quarantine: pl.DataFrame
    carried_over: Sequence[str]
    degraded: Mapping[str, str]
    children: Mapping[str, str]


def overview(
    fleet: FleetStatus, observed: pl.DataFrame, forecasts: pl.DataFrame, cutoff: date, max_age_months: int
) -> pl.DataFrame:
    """One row per series with the columns of `SCHEMA`.

    Args:
        fleet: the series.
        observed: (series, date, temperature in °C), those carried over too.
        forecasts: forecast table, those carried over too.
        cutoff: first day that was not read.
        max_age_months: an observation older than this makes a series stale.
    """
    scores = {row["series"]: row for row in fleet.results}
    aside = {row["series"]: row["reason"] for row in fleet.quarantine.iter_rows(named=True)}
    newest = dict(observed.drop_nulls("temperature").group_by("series").agg(pl.col("date").max()).iter_rows())
    ahead = forecasts.filter(pl.col("kind") == "ahead").sort("date")
    coming = ahead.filter(pl.col("date") >= cutoff).unique("series", keep="first", maintain_order=True)
    following = {row["series"]: row for row in coming.iter_rows(named=True)}
    rows = []
    for series in [*fleet.labels, *(name for name in aside if name not in fleet.labels)]:
        if series not in scores and series not in aside and series not in fleet.carried_over:
            continue
        score, following_month = scores.get(series, {}), following.get(series, {})
        status = "carried_over" if series in fleet.carried_over else score.get("status", "quarantined")
        last = newest.get(series)
        age = None if last is None else months_between(last, cutoff)
        stale = status == "carried_over" or (age is not None and age > max_age_months)
        reasons = [score.get("reason") or aside.get(series), fleet.degraded.get(series)]
        if age is not None and age > max_age_months:
            reasons.append(f"the newest observation is {age} months before the cutoff")
        rows.append(
            {
                "series": series,
                "label": fleet.labels.get(series, series),
                "status": status,
                "degraded": series in fleet.degraded,
                "stale": stale,
                "reason": "; ".join(reason for reason in reasons if reason) or None,
                "last_observation": last,
                "age_months": age,
                "next_date": following_month.get("date"),
                **{f"next_{name}": following_month.get(name) for name in ("mean", "q10", "q90")},
                **{name: known_score(score, name) for name in SCORES},
                "child_run_id": fleet.children.get(series),
                "recent": _recent(observed, series, cutoff),
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def _recent(observed: pl.DataFrame, series: str, cutoff: date) -> list[float | None]:
    months = [shifted(cutoff, number - RECENT) for number in range(RECENT)]
    known = dict(observed.filter(pl.col("series") == series).select("date", "temperature").iter_rows())
    return [known.get(month) for month in months]
