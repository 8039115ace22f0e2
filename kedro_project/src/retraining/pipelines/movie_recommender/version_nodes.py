"""Node `candidate`: what a new version of the registered model is made of, and what it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from retraining.pipelines.movie_recommender.recommender.factors import FactorModel
from retraining.pipelines.movie_recommender.report import verdict
from retraining.pipelines.movie_recommender.report_nodes import metric_values
from tracked_kedro.promotion.evidence import Evidence
from tracked_kedro.promotion.training_inputs import TrainingInputs

FACTORS = "model.npz"
# Where the catalog keeps the picture of the report among the run's artifacts.
PICTURE = "figures/metrics.png"


def candidate(
    factors: FactorModel,
    scores: Mapping[str, Any],
    summary: Mapping[str, Any],
    inputs: Mapping[str, Any],
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Put together the model that is registered, and the evidence for and against it.

    Returns:
        The files that the served model reads, and an `Evidence` as plain data.
    """
    evidence = Evidence(
        metrics=metric_values(scores, summary),
        cutoff=date.fromisoformat(summary["cutoff"]),
        newest=date.fromisoformat(summary["last"][:10]),
        simulated=summary["simulated"],
        remarks=tuple(verdict(scores)),
        **TrainingInputs.model_validate(inputs).in_evidence(),
        pictures={"The model beside the baselines": PICTURE},
    )
    return {FACTORS: factors.to_bytes()}, evidence.model_dump(mode="json")
