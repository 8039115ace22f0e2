"""Where the champion has learnt all of it already: a scheduled DAG run ends before it trains."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tracked_kedro import names
from tracked_kedro.kedro_side.sessions import Session

log = logging.getLogger(__name__)


def nothing_new(session: Session, pipeline: str, made: Mapping[str, Any]) -> str | None:
    """Compare what this run is about to learn with the champion, and say in the parent run where that is all the same.

    It is the comparison that `decide` makes after training, by which such a version is never promoted.

    Args:
        session: of the DAG run; its parent is MLflow's active run.
        pipeline: name of the Kedro pipeline.
        made: datasets of the nodes that ran; `<pipeline>_training_inputs` is among them.

    Returns:
        Why there is nothing to train; None where there is something, or no champion to compare with.
    """
    # Not earlier: a DAG file is parsed without them.
    import mlflow

    from tracked_kedro.promotion.training_inputs import TrainingInputs

    if mlflow.active_run() is None:
        return None
    inputs = TrainingInputs.model_validate(made[f"{pipeline}_training_inputs"].load())
    champion = session.load_dataset(f"{pipeline}_champion")
    known = champion.evidence.training_inputs if champion else None
    if known is None or inputs.changed_since(known):
        return None
    reason = f"nothing new to learn: data, code and configuration are those of the champion, version {champion.number}"
    mlflow.set_tags({names.NOTHING_NEW_TAG: reason, names.PROMOTION_TAG: f"not promoted: {reason}"})
    log.info("%s. Trigger the DAG, or clear this DAG run, to train all the same", reason)
    return reason


def after(task: Any) -> list[str]:
    """Ids of the tasks that wait for this one, but for the one that closes the parent run."""
    return sorted(task.get_flat_relative_ids(upstream=False) - {names.CLOSE_RUN_TASK})
