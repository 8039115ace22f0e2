"""What earlier champions had forecast, beside what happened since: one growing table, and what it says of each series.

The ledger has a row for every month that a champion has forecast ahead: version, its cutoff, series, date, horizon,
mean, sd, quantiles, and, once the month is observed, the observation, error, CRPS and whether it lay inside the
intervals. A row is known by version, series and date: writing it again replaces it. Temperatures in °C.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from retraining.pipelines.climate_brazil.champion.comparison import normal_crps
from retraining.pipelines.climate_brazil.parameters import Monitoring

KEYS = ["version", "series", "date"]
FORECAST = ["series", "date", "horizon", "mean", "sd", "q025", "q10", "q90", "q975"]
SCHEMA: dict[str, Any] = {
    "version": pl.Int64,
    "cutoff": pl.Date,
    "series": pl.String,
    "date": pl.Date,
    "horizon": pl.Int32,
    **dict.fromkeys(FORECAST[3:], pl.Float64),
    "observed": pl.Float64,
    "error": pl.Float64,
    "crps": pl.Float64,
    "inside_80": pl.Boolean,
    "inside_95": pl.Boolean,
}
# CRPS that a normal prediction of sd 1 has on average when it is right.
EXPECTED_CRPS = 1 / np.sqrt(np.pi)


def with_champion(ledger: pl.DataFrame, forecasts: pl.DataFrame, version: int, cutoff: date) -> pl.DataFrame:
    """The ledger with what one champion has forecast for the months from its cutoff on."""
    ahead = forecasts.filter((pl.col("kind") == "ahead") & (pl.col("date") >= cutoff)).select(FORECAST)
    rows = ahead.with_columns(version=pl.lit(version, pl.Int64), cutoff=pl.lit(cutoff, pl.Date))
    unknown = {name: pl.lit(None, kind) for name, kind in SCHEMA.items() if name not in rows.columns}
    rows = rows.with_columns(**unknown).select(SCHEMA.keys()).cast(SCHEMA)  # type: ignore[arg-type]
    return pl.concat([ledger.join(rows, on=KEYS, how="anti"), rows]).sort(KEYS)


def observe(ledger: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """The ledger with the observations of the table (series, date, temperature) filled in, revised ones too."""
    known = table.drop_nulls("temperature").select("series", "date", now="temperature")
    joined = ledger.join(known, on=["series", "date"], how="left", maintain_order="left")
    observed = pl.coalesce("now", "observed")
    rows = joined.with_columns(observed=observed).with_columns(
        error=pl.col("observed") - pl.col("mean"),
        inside_80=pl.col("observed").is_between("q10", "q90"),
        inside_95=pl.col("observed").is_between("q025", "q975"),
    )
    crps = normal_crps(*(rows[name].to_numpy() for name in ("mean", "sd", "observed")))
    return rows.with_columns(crps=pl.Series(crps, dtype=pl.Float64).fill_nan(None)).select(SCHEMA.keys())


def scores(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Realised rmse, crps (°C), coverage_80, coverage_95 and number of months, by the given columns."""
    return (
        rows.filter(pl.col("observed").is_not_null())
        .group_by(by, maintain_order=True)
        .agg(
            months=pl.len(),
            rmse=(pl.col("error") ** 2).mean().sqrt(),
            crps=pl.col("crps").mean(),
            expected_crps=EXPECTED_CRPS * pl.col("sd").mean(),
            coverage_80=pl.col("inside_80").mean(),
            coverage_95=pl.col("inside_95").mean(),
        )
        .sort(by)
    )


def degraded(ledger: pl.DataFrame, cutoff: date, rules: Monitoring) -> dict[str, str]:
    """Series whose latest forecasts have left their band, with the reason.

    Of each month before the cutoff the forecast counts that was made last; months that lie longer back than
    `rules.months` do not count, and a series with fewer than `rules.min_months` observed ones is not judged.
    """
    since = pl.lit(cutoff).dt.offset_by(f"-{rules.months}mo")
    recent = ledger.filter((pl.col("date") >= since) & (pl.col("date") < cutoff) & (pl.col("cutoff") <= cutoff))
    latest = recent.sort("cutoff", "version").unique(["series", "date"], keep="last")
    low, high = rules.coverage_80
    reasons = {}
    for row in scores(latest, ["series"]).filter(pl.col("months") >= rules.min_months).iter_rows(named=True):
        ratio = row["crps"] / row["expected_crps"]
        found = []
        if not low <= row["coverage_80"] <= high:
            found.append(f"{row['coverage_80']:.0%} of {row['months']} months inside the 80 % interval")
        if ratio > rules.max_crps_ratio:
            found.append(f"CRPS {ratio:.2f} times what its own forecasts had led to expect")
        if found:
            reasons[row["series"]] = " and ".join(found)
    return reasons
