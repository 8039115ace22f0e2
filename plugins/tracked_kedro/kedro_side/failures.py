"""Why a session failed, in the tags of its run."""

from __future__ import annotations

import logging
from typing import Any

import mlflow
from kedro.pipeline import Pipeline
from mlflow.entities import RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from tracked_kedro.kedro_side.redaction import without_secrets
from tracked_kedro.names import ERROR_TAGS, SHARD

log = logging.getLogger(__name__)

#: Longer messages add nothing, and stores refuse tags of more than 8,000 characters.
TAG_LENGTH = 4000
#: What MLflow raises when its store, or the database behind it, does not answer.
STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError)


def keep_failure(error: Exception, run_id: str, whose: str, *, ends: bool) -> None:
    """Write the reason into the run's tags; a store that fails meanwhile does not hide the failure.

    Of a run that others fail in, too, the first failure is kept: those that come later are its consequences.

    Args:
        error: that a node raised.
        run_id: of the run.
        whose: what failed, see `nodes_of_session`.
        ends: whether the session opened the run, and ends it as FAILED.
    """
    reason = {
        "error_type": type(error).__name__,
        "error_message": without_secrets(str(error))[:TAG_LENGTH],
        "error_in": whose,
    }
    failed = RunStatus.to_string(RunStatus.FAILED)
    try:
        client = MlflowClient()
        if not ends and client.get_run(run_id).data.tags.get("error_in", whose) != whose:
            return
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in reason.items()])
        if not ends:
            return
        while mlflow.active_run():
            mlflow.end_run(failed)
        client.set_terminated(run_id, failed)
    except STORE_ERRORS:
        log.warning("Run %s could not be told why it failed", run_id, exc_info=True)


def forget_failure(whose: str) -> None:
    """Take the failure off the active run, where it was one of these nodes; a store that fails is no error."""
    # As the run was when this session resumed it: no request is needed where nothing had failed.
    run = mlflow.active_run()
    if run is None or run.data.tags.get("error_in") != whose:
        return
    try:
        for key in ERROR_TAGS:
            MlflowClient().delete_tag(run.info.run_id, key)
    except STORE_ERRORS:
        log.warning("Run %s still names a failure that is mended", run.info.run_id, exc_info=True)


def nodes_of_session(pipeline: Pipeline, run_params: dict[str, Any]) -> str:
    """The nodes of a session, and its shard: the same for every try of one task, different for any two tasks."""
    nodes = ", ".join(sorted(node.name for node in pipeline.nodes))
    shard = (run_params.get("runtime_params") or {}).get(SHARD)
    return f"{nodes}{f' of {shard}' if shard else ''}"[:TAG_LENGTH]
