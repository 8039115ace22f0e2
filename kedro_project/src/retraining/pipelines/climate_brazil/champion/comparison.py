"""CRPS of a run beside the champion's, on the held-out months that they share. Pure functions of tables.

Stored forecasts keep mean and sd of each month. Their CRPS here is that of the normal distribution with these two
moments, for challenger and champion alike, on the observations as they are known now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtr

KEYS = ["series", "date"]


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


def shared_crps(held_out: pl.DataFrame, trained: Sequence[str]) -> dict[str, Any] | None:
    """Pooled CRPS of both on the held-out months that they share, °C; None where they share none.

    Args:
        held_out: what `held_out_crps` has made.
        trained: the same series.
    """
    if held_out.is_empty():
        return None
    return {
        "challenger": float(held_out["challenger"].to_numpy().mean()),
        "champion": float(held_out["champion"].to_numpy().mean()),
        # Of a series; they hold out different months where their newest observations differ.
        "cases": _median(held_out, trained),
        "unit": "months",
    }


def _median(both: pl.DataFrame, trained: Sequence[str]) -> int:
    counts = dict(both.group_by("series").len().iter_rows())
    return int(np.median([counts.get(series, 0) for series in trained]))
