"""The scores of a run: their columns, their pooling over series, and the frame for Parquet.

Pure functions of the per-series scores (one dict per series, as ``train`` and ``evaluate`` made them). Errors
and CRPS are in °C; coverage is a share of held-out months, 0 to 1; skill is 1 - CRPS / CRPS of a naive model,
so that 0 is no better and 1 is perfect. A score that is missing, None or not finite is unknown, never 0.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

# Of logged metrics: beyond the data's own precision, and still readable in a table.
DECIMALS = 5
Scores = Sequence[Mapping[str, Any]]

NAIVE_MODELS = {
    "seasonal_naive": "seasonal naive",
    "climatology": "climatology",
    "climatology_trend": "climatology + trend",
}
SCHEMA: dict[str, Any] = {
    "series": pl.String,
    "label": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "n_months": pl.Int64,
    "first_month": pl.Date,
    "last_month": pl.Date,
    "n_scored": pl.Int64,
    "rmse": pl.Float64,
    "mae": pl.Float64,
    "crps": pl.Float64,
    "coverage_80": pl.Float64,
    "coverage_95": pl.Float64,
    "skill_vs_seasonal_naive": pl.Float64,
    **{f"{score}_{model}": pl.Float64 for model in NAIVE_MODELS for score in ("rmse", "mae", "crps")},
    "method_used": pl.String,
    "k_hat": pl.Float64,
    "ess": pl.Float64,
    "r_hat": pl.Float64,
    "divergences": pl.Int64,
    # Of the second window of the forecast, where there is one.
    "recent_method_used": pl.String,
    "recent_k_hat": pl.Float64,
    "recent_ess": pl.Float64,
    "recent_r_hat": pl.Float64,
    "recent_divergences": pl.Int64,
    "seconds": pl.Float64,
}


def pooled_scores(scores: Scores) -> dict[str, float]:
    """Scores over all held-out months of the finished series together, each month weighing the same.

    With n the months scored of a series: rmse = √(Σ n·rmse² / Σ n); mae, crps and the coverages are
    Σ n·score / Σ n; those of the naive models (``crps_climatology`` and so on) likewise. ``skill_vs_<naive>``
    is, as per series, 1 - crps / crps of the naive model, both pooled over the series that have both. A score
    that no finished series has is left out; n_series, n_finished, n_failed and n_scored are always there.
    """
    finished = finished_scores(scores)
    pooled = {
        "n_series": float(len(scores)),
        "n_finished": float(len(finished)),
        "n_failed": float(len(scores) - len(finished)),
        "n_scored": float(sum(known_score(score, "n_scored") or 0 for score in finished)),
    }
    own = ["rmse", "mae", "crps", "coverage_80", "coverage_95"]
    for name in own + [f"{score}_{model}" for model in NAIVE_MODELS for score in ("rmse", "mae", "crps")]:
        value = _pool(finished, name)
        if value is not None:
            pooled[name] = value
    for model in NAIVE_MODELS:
        both = [s for s in finished if None not in (known_score(s, "crps"), known_score(s, f"crps_{model}"))]
        crps, reference = _pool(both, "crps"), _pool(both, f"crps_{model}")
        if crps is not None and reference:
            pooled[f"skill_vs_{model}"] = 1 - crps / reference
    return pooled


def report_frame(scores: Scores) -> pl.DataFrame:
    """One row per series, finished or failed, always with the columns and types of ``SCHEMA``."""
    return pl.DataFrame([report_row(score) for score in scores], schema=SCHEMA)


def finished_scores(scores: Scores) -> list[Mapping[str, Any]]:
    """The scores of the series that finished."""
    return [score for score in scores if score["status"] == "finished"]


def report_row(score: Mapping[str, Any]) -> dict[str, Any]:
    """One score with exactly the columns of ``SCHEMA``."""
    row: dict[str, Any] = {}
    for column, kind in SCHEMA.items():
        value = score.get(column)
        if kind in (pl.Float64, pl.Int64):
            value = known_score(score, column)
            row[column] = int(value) if value is not None and kind == pl.Int64 else value
        elif kind == pl.Date and isinstance(value, str):
            row[column] = as_month(value)
        else:
            row[column] = value
    return row


def known_score(score: Mapping[str, Any], name: str) -> float | None:
    """A score as a number; None where it is missing, None or not finite."""
    value = score.get(name)
    return float(value) if value is not None and math.isfinite(value) else None


def _pool(scores: Scores, name: str) -> float | None:
    """The mean over held-out months; for an RMSE the root of the mean of squares."""
    known = [
        (int(known_score(s, "n_scored") or 0), value) for s in scores if (value := known_score(s, name)) is not None
    ]
    n = sum(weight for weight, _ in known)
    if n == 0:
        return None
    power = 2 if name.startswith("rmse") else 1
    return (sum(weight * value**power for weight, value in known) / n) ** (1 / power)


def as_month(text: str) -> date:
    """A month written as YYYY-MM or YYYY-MM-DD."""
    return date.fromisoformat(f"{text}-01" if len(text) == 7 else text[:10])
