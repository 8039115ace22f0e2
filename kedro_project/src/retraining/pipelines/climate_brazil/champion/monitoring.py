"""Node `monitor`: what earlier champions had forecast for the months that have been observed since."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.champion import realised
from retraining.pipelines.climate_brazil.parameters import Monitoring
from retraining.pipelines.climate_brazil.series.scores import DECIMALS
from tracked_kedro.promotion.evidence import Version

log = logging.getLogger(__name__)


def monitor(
    table: pl.DataFrame,
    champions: Mapping[int, Callable[[], Version | None]],
    ledger: pl.DataFrame | None,
    months: Mapping[str, Any],
    monitoring: Monitoring,
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any], dict[str, dict[str, float]]]:
    """Score what earlier champions had forecast for the months that have been observed since.

    Args:
        table: (series, date, temperature) up to the cutoff.
        champions: every version that ever was champion, by number, read when called; None where it is gone.
        ledger: `realised.SCHEMA`, None before the first.
        months: of the run, with its cutoff.
        monitoring: the bands.

    Returns:
        The ledger; its scores by series and horizon; {"degraded": {series: reason}}; metrics of the run.
    """
    cutoff = date.fromisoformat(months["cutoff"])
    known = pl.DataFrame(schema=realised.SCHEMA) if ledger is None else ledger
    entered = set(known["version"])
    for number in sorted(set(champions) - entered):
        version = champions[number]()
        if version is None:
            continue
        forecasts = pl.read_parquet(io.BytesIO(version.file("forecasts.parquet")))
        assert version.evidence.cutoff is not None
        known = realised.with_champion(known, forecasts, number, version.evidence.cutoff)
    known = realised.observe(known, table)
    past = known.filter((pl.col("date") < cutoff) & (pl.col("cutoff") < cutoff))
    reasons = realised.degraded(past, cutoff, monitoring)
    for series, reason in reasons.items():
        log.warning("%s is degraded: %s", series, reason)
    logged = {key: {"value": round(value, DECIMALS), "step": 0} for key, value in _metrics(past).items()}
    return known, realised.scores(past, ["series", "horizon"]), {"degraded": reasons}, logged


def _metrics(past: pl.DataFrame) -> dict[str, float]:
    """Pooled, and by horizon as far as a year."""
    names = ["rmse", "crps", "coverage_80", "coverage_95"]
    found: dict[str, float] = {}
    for row in realised.scores(past.with_columns(all=pl.lit(0)), ["all"]).iter_rows(named=True):
        found |= {f"realised_{name}": row[name] for name in names} | {"realised_months": float(row["months"])}
    for row in realised.scores(past.filter(pl.col("horizon") <= 12), ["horizon"]).iter_rows(named=True):
        found |= {f"realised_{name}_h{row['horizon']:02d}": row[name] for name in names[:3]}
    return found
