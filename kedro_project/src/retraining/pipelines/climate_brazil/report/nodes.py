"""Node `report`: scores of all series, pooled and beside the naive models, as metrics, table, page and text."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.fleet.learnt_fleet import LearntFleet
from retraining.pipelines.climate_brazil.inputs import NAME
from retraining.pipelines.climate_brazil.report.inputs import RunFacts, Scored
from retraining.pipelines.climate_brazil.report.report import (
    Findings,
    doubtful,
    report_html,
    report_text,
    warning,
    watch_list,
)
from retraining.pipelines.climate_brazil.report.taught import taught
from retraining.pipelines.climate_brazil.series.scores import DECIMALS, pooled_scores, report_frame
from retraining.pipelines.climate_brazil.structural import InferenceConfig

log = logging.getLogger(__name__)
UNIT = "°C"
MOST_WARNINGS = 30  # a message of a fleet of thousands must stay readable


def report(
    scored: Scored,
    run: RunFacts,
    seen: pl.DataFrame,
    evidence: Mapping[str, Any],
    inference: InferenceConfig,
    fleet: LearntFleet,
) -> tuple[dict[str, dict[str, float]], pl.DataFrame, str, str, list[str]]:
    """Report on all series of the run.

    Args:
        scored: the series and how they fared.
        run: its months and files.
        seen: the overview (`overview.SCHEMA`).
        evidence: with its remarks on what changed since the champion.
        inference: when a fit deserves a look.
        fleet: what the series teach each other.

    Returns:
        Metrics for MLflow, the table, the HTML page, the text, and the warnings for people.
    """
    scores = scored.rows()
    pooled = pooled_scores(scores)
    pooled["n_quarantined"] = float(len(run.quarantine))
    pooled |= {"n_flagged": float(run.flags.height), "flagged_share": run.flagged_share}
    pooled |= fleet.facts()
    pooled |= {"n_degraded": float(seen["degraded"].sum()), "n_stale": float(seen["stale"].sum())}
    watched = [*watch_list(seen), *doubtful(run, scored.labels)]
    found = Findings(scores, pooled, run, inference, watched, taught(fleet, scored.labels, UNIT))
    text = report_text(found)
    log.info("Report of %s\n%s", run.months["month"], text)
    html = report_html(found, {"pipeline": NAME, "data_source": run.origin["origin"]}, evidence["remarks"])
    metrics = {key: {"value": round(float(value), DECIMALS), "step": 0} for key, value in pooled.items()}
    warnings = [warning(one) for one in watched[:MOST_WARNINGS]]
    if len(watched) > MOST_WARNINGS:
        warnings.append(f"and {len(watched) - MOST_WARNINGS} more, which the report lists")
    return metrics, report_frame(scores), html, text, warnings
