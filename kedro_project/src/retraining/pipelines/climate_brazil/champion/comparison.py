"""A run beside the champion: the same held-out months, and what changed since. Pure functions of tables.

Stored forecasts keep mean and sd of each month. Their CRPS here is that of the normal distribution with these two
moments, for challenger and champion alike, on the observations as they are known now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtr

from retraining.pipelines.climate_brazil.structural import InferenceConfig

KEYS = ["series", "date"]
MAX_R_HAT, MAX_DIVERGENCES = 1.01, 0
# Largest changes that are named one by one.
SHOWN = 5


def normal_crps(mean: np.ndarray, sd: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """CRPS of normal predictions, in the unit of the data; all arguments and the result have one shape."""
    z = (actual - mean) / sd
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))


def held_out_crps(own: pl.DataFrame, champions: pl.DataFrame, trained: Sequence[str]) -> pl.DataFrame:
    """CRPS of both in each held-out month that they share: series, date, challenger, champion (°C).

    Args:
        own: forecast table of this run (`series_tables.FORECAST_SCHEMA`).
        champions: forecast table of the champion.
        trained: series that this run has trained itself; one that is carried over would meet itself.
    """
    held_out = (pl.col("kind") == "heldout") & pl.col("series").is_in(list(trained))
    mine = own.filter(held_out & pl.col("observed").is_not_null()).select(*KEYS, "mean", "sd", "observed")
    theirs = champions.filter(held_out).select(*KEYS, "mean", "sd")
    both = mine.join(theirs, on=KEYS, how="inner", suffix="_champion")
    mean, sd, actual, mean_champion, sd_champion = (
        both[name].to_numpy() for name in ("mean", "sd", "observed", "mean_champion", "sd_champion")
    )
    return both.select(
        *KEYS,
        challenger=pl.Series(normal_crps(mean, sd, actual), dtype=pl.Float64),
        champion=pl.Series(normal_crps(mean_champion, sd_champion, actual), dtype=pl.Float64),
    )


def shared_crps(own: pl.DataFrame, champions: pl.DataFrame, trained: Sequence[str]) -> dict[str, Any] | None:
    """Pooled CRPS of both on the held-out months that they share, °C; None where they share none.

    The arguments are those of `held_out_crps`.
    """
    both = held_out_crps(own, champions, trained)
    if both.is_empty():
        return None
    return {
        "challenger": float(both["challenger"].to_numpy().mean()),
        "champion": float(both["champion"].to_numpy().mean()),
        # Of a series; they hold out different months where their newest observations differ.
        "cases": _median(both, trained),
        "unit": "months",
    }


def _median(both: pl.DataFrame, trained: Sequence[str]) -> int:
    counts = dict(both.group_by("series").len().iter_rows())
    return int(np.median([counts.get(series, 0) for series in trained]))


def passes_gate(row: Mapping[str, Any], inference: InferenceConfig) -> bool:
    """Whether a series' inference can be trusted, by the gate of the method that was used."""
    if row["status"] != "finished":
        return False
    known = {name: value for name, value in row.items() if value is not None}
    enough = known.get("ess", 0.0) >= inference.min_ess
    if row["method_used"] == "marginal":
        return enough and known.get("k_hat", np.inf) <= inference.max_k_hat
    if row["method_used"] == "nuts":
        return enough and known.get("r_hat", np.inf) <= MAX_R_HAT and known.get("divergences", 0) <= MAX_DIVERGENCES
    # A grid that does not hold the posterior is not used at all.
    return True


def changes(
    observed: pl.DataFrame,
    champions_observed: pl.DataFrame,
    own: pl.DataFrame,
    champions: pl.DataFrame,
    labels: Mapping[str, str],
) -> list[str]:
    """What changed since the champion was trained, in sentences.

    Args:
        observed: (series, date, temperature) as this run has read it.
        champions_observed: the same as the champion was trained on.
        own: forecast table of this run.
        champions: forecast table of the champion.
        labels: name of each series for people.
    """
    value = "temperature"
    both = observed.drop_nulls(value).join(champions_observed.drop_nulls(value), on=KEYS, how="inner", suffix="_before")
    revised = both.with_columns(by=pl.col(value) - pl.col(f"{value}_before")).filter(pl.col("by").abs() > 1e-6)
    new = observed.drop_nulls(value).join(champions_observed.drop_nulls(value), on=KEYS, how="anti")
    first = champions_observed.group_by("series").agg(first=pl.col("date").min())
    new = new.join(first, on="series", how="inner").filter(pl.col("date") >= pl.col("first"))
    said = [f"Observations: {new.height} new, {revised.height} revised{_largest(revised, labels)}."]
    ahead = pl.col("kind") == "ahead"
    shifted = own.filter(ahead).join(champions.filter(ahead), on=KEYS, how="inner", suffix="_before")
    shifts = (
        shifted.group_by("series")
        .agg(by=(pl.col("mean") - pl.col("mean_before")).mean(), months=pl.len())
        .sort(pl.col("by").abs(), descending=True)
    )
    if shifts.height:
        named = [f"{labels.get(s, s)} {by:+.2f} °C" for s, by, _ in shifts.head(SHOWN).iter_rows()]
        said.append(f"Forecasts of the same months moved on average: {', '.join(named)}.")
    return said


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


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
