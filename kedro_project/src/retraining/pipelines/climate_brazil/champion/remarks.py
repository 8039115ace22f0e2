"""What changed since the champion was trained, in sentences for a person who approves. Pure functions of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from retraining.pipelines import climate_brazil
from retraining.pipelines.climate_brazil.champion.comparison import KEYS
from tracked_kedro.kedro_side.code_version import code_version
from tracked_kedro.promotion.evidence import Version

# Largest changes that are named one by one.
SHOWN = 5


@dataclass(frozen=True)
class Snapshot:
    """What a version was trained on and what it forecasts.

    Attributes:
        observed: (series, date, temperature in °C, null where missing).
        forecasts: forecast table (`tables.FORECAST_SCHEMA`).
    """

    observed: pl.DataFrame
    forecasts: pl.DataFrame


def remarks(
    champion: Version | None,
    challenger: Snapshot,
    before: Snapshot,
    labels: Mapping[str, str],
    settings: Mapping[str, Any],
    carried: Sequence[str],
) -> list[str]:
    """What changed since the champion, in sentences.

    Args:
        champion: the version to compare with, None before the first.
        challenger: this run.
        before: the champion.
        labels: name of each series for people.
        settings: flat, of this run.
        carried: series whose forecast is the champion's.
    """
    if champion is None:
        return ["This is the first version: there is nothing to compare it with."]
    sentences = [f"Compared with the champion, version {champion.number} with cutoff {champion.evidence.cutoff}."]
    sentences += changes(challenger, before, labels)
    if carried:
        more = f" and {len(carried) - SHOWN} more" if len(carried) > SHOWN else ""
        named = ", ".join(labels.get(one, one) for one in carried[:SHOWN]) + more
        sentences.append(f"Carried over from the champion, not trained: {named}.")
    tags = champion.evidence.tags
    changed = changed_settings(settings, champion.evidence.settings)
    sentences.append(f"Configuration changed: {'; '.join(changed)}." if changed else "Configuration: unchanged.")
    code = code_version(climate_brazil.__name__)
    same = tags.get("code") == code
    sentences.append("Code: unchanged." if same else f"Code changed: {tags.get('code', 'unknown')} → {code}.")
    return sentences


def changes(challenger: Snapshot, champion: Snapshot, labels: Mapping[str, str]) -> list[str]:
    """What changed since the champion was trained, in sentences; `labels` are the names of the series for people."""
    value = "temperature"
    observed, observed_before = challenger.observed.drop_nulls(value), champion.observed.drop_nulls(value)
    both = observed.join(observed_before, on=KEYS, how="inner", suffix="_before")
    revised = both.with_columns(by=pl.col(value) - pl.col(f"{value}_before")).filter(pl.col("by").abs() > 1e-6)
    new = observed.join(observed_before, on=KEYS, how="anti")
    first = champion.observed.group_by("series").agg(first=pl.col("date").min())
    new = new.join(first, on="series", how="inner").filter(pl.col("date") >= pl.col("first"))
    sentences = [f"Observations: {new.height} new, {revised.height} revised{_largest(revised, labels)}."]
    ahead = pl.col("kind") == "ahead"
    shifted = challenger.forecasts.filter(ahead).join(
        champion.forecasts.filter(ahead), on=KEYS, how="inner", suffix="_before"
    )
    shifts = (
        shifted.group_by("series")
        .agg(by=(pl.col("mean") - pl.col("mean_before")).mean(), months=pl.len())
        .sort(pl.col("by").abs(), descending=True)
    )
    if shifts.height:
        named = [f"{labels.get(s, s)} {by:+.2f} °C" for s, by, _ in shifts.head(SHOWN).iter_rows()]
        sentences.append(f"Forecasts of the same months moved on average: {', '.join(named)}.")
    return sentences


def _largest(revised: pl.DataFrame, labels: Mapping[str, str]) -> str:
    if revised.is_empty():
        return ""
    top = revised.sort(pl.col("by").abs(), descending=True).head(SHOWN)
    named = [f"{labels.get(s, s)} {day:%Y-%m} by {by:+.2f} °C" for s, day, by in top.select(*KEYS, "by").iter_rows()]
    return f" ({', '.join(named)})"


def changed_settings(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Settings that differ, as "name: before → now"; both are flat."""
    names = [name for name in sorted(now) if name in before and str(before[name]) != str(now[name])]
    return [f"{name}: {before[name]} → {now[name]}" for name in names]
