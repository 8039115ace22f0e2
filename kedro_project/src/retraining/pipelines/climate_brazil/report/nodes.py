"""Node `report`: scores of all series, pooled and beside the naive models, as metrics, table, page and text."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.report.report import report_html, report_text, warning, watch_list
from retraining.pipelines.climate_brazil.series.scores import DECIMALS, pooled_scores, report_frame

log = logging.getLogger(__name__)
MOST_WARNINGS = 30  # a message of a fleet of thousands must stay readable


def report(
    results: Mapping[str, Callable[[], dict[str, Any]]],
    series_ids: list[str],
    entries: Mapping[str, Mapping[str, str]],
    quarantine: pl.DataFrame,
    months: Mapping[str, Any],
    origin: Mapping[str, Any],
    seen: pl.DataFrame,
    evidence: Mapping[str, Any],
) -> tuple[dict[str, dict[str, float]], pl.DataFrame, str, str, list[str]]:
    """Report on all series of the run.

    Args:
        results: row of each series that was trained, read when called.
        series_ids: of the run.
        entries: label and file of each series.
        quarantine: the stations that were set aside.
        months: of the run.
        origin: where the station files come from.
        seen: the overview (`overview.SCHEMA`).
        evidence: with its remarks on what changed since the champion.

    Returns:
        Metrics for MLflow, the table, the HTML page, the text, and the warnings that a person should be told.
    """
    scores = all_scores(results, series_ids, entries)
    pooled = pooled_scores(scores)
    pooled["n_quarantined"] = float(len(quarantine))
    simulated = bool(origin["simulated"])
    watched = watch_list(seen)
    pooled |= {"n_degraded": float(seen["degraded"].sum()), "n_stale": float(seen["stale"].sum())}
    text = report_text(scores, pooled, quarantine, months, simulated, watched)
    log.info("Report of %s\n%s", months["month"], text)
    context = {"pipeline": "climate_brazil", "data_source": origin["origin"]}
    html = report_html(scores, pooled, quarantine, months, simulated, context, watched, evidence["remarks"])
    metrics = {key: {"value": round(float(value), DECIMALS), "step": 0} for key, value in pooled.items()}
    warnings = [warning(one) for one in watched[:MOST_WARNINGS]]
    if len(watched) > MOST_WARNINGS:
        warnings.append(f"and {len(watched) - MOST_WARNINGS} more, which the report lists")
    return metrics, report_frame(scores), html, text, warnings


def all_scores(
    results: Mapping[str, Callable[[], dict[str, Any]]],
    series_ids: list[str],
    entries: Mapping[str, Mapping[str, str]],
) -> list[dict[str, Any]]:
    """The row of each series of the run; a series whose task never came to it has failed."""
    return [results[series]() if series in results else _never_ran(series, entries) for series in series_ids]


def _never_ran(series: str, entries: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    reason = "its task ended before it was its turn; see the task's log"
    return {"series": series, "label": entries[series]["label"], "status": "failed", "reason": reason}
