"""Life of the one parent MLflow run of a DAG run: opened, joined, closed. Every step may be repeated."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from tracked_kedro.errors import PermanentError
from tracked_kedro.names import (
    DAG_ID_TAG,
    DAG_RUN_ID_TAG,
    DAG_RUN_URL_TAG,
    DONE_METRIC,
    END_REASON_TAG,
    ERROR_TAGS,
    FAILED_TASKS_TAG,
    KEY_TAG,
    MODEL_VERSION_TAG,
    NOTE_TAG,
    NOTHING_NEW_TAG,
    OPEN_RUN_TASK,
    PROCESS_TAG,
    PROMOTION_TAG,
    REPLACED_TAG,
)
from tracked_kedro.paging import paged
from tracked_kedro.parent_run.creates import created_once
from tracked_kedro.parent_run.environment import variable
from tracked_kedro.parent_run.identity import in_same_airflow, in_same_life

log = logging.getLogger(__name__)
Result = TypeVar("Result")
_EXPERIMENT = "MLFLOW_EXPERIMENT_ID"

# A call that raced with ours shows its run within this time.
_SETTLE_SECONDS = 0.5


def open_parent(experiment_id: str, dag_id: str, dag_run_id: str, name: str, tags: Mapping[str, str]) -> str:
    """Find or create the parent run of a DAG run and mark it RUNNING.

    A run is found by its tags first, so that a repeated or retried call makes no second one; calls that race
    settle on the oldest run; any other is a twin and is deleted. The parent of a DAG run that was deleted
    and made again under the same id is ended, and says which run came after it.

    Args:
        experiment_id: where the run is looked for and made.
        dag_id: the DAG's.
        dag_run_id: the DAG run's.
        name: of the run, where it is made.
        tags: of the run; those that `tracked_kedro.parent_run.identity` names tell it from others of the same ids.

    Returns:
        Id of the parent run.
    """
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    found, earlier = _parents(client, experiment_id, dag_id, dag_run_id, tags)
    if not found:
        identity = {DAG_ID_TAG: dag_id, DAG_RUN_ID_TAG: dag_run_id}

        def first():
            return next(iter(_parents(client, experiment_id, dag_id, dag_run_id, tags)[0]), None)

        created = created_once(
            lambda: client.create_run(experiment_id, run_name=name, tags={**tags, **identity}), first
        )
        # MLflow has no "create unless it exists": a run may begin earlier than ours and yet become visible later.
        time.sleep(_SETTLE_SECONDS)
        found = _parents(client, experiment_id, dag_id, dag_run_id, tags)[0] or [created]
        # Whoever raced with us has perhaps deleted it by now: that may be done twice.
        found += [created] if created.info.run_id not in [one.info.run_id for one in found] else []
    run, *twins = found
    for twin in twins:
        client.delete_run(twin.info.run_id)
    for before in earlier:
        abandon_parent(before.info.run_id, "KILLED", "the DAG run was deleted and made again")
        client.set_tag(before.info.run_id, REPLACED_TAG, run.info.run_id)
    if run.info.status != "RUNNING":
        client.update_run(run.info.run_id, status="RUNNING")
    # Of a DAG run that is done again: what it runs in may be another process, and why it was ended is past.
    for key, value in tags.items():
        if run.data.tags.get(key) != value:
            client.set_tag(run.info.run_id, key, value)
    for key in {PROCESS_TAG, END_REASON_TAG, NOTHING_NEW_TAG} & (run.data.tags.keys() - tags.keys()):
        client.delete_tag(run.info.run_id, key)
    return run.info.run_id


def _parents(client, experiment_id: str, dag_id: str, dag_run_id: str, tags: Mapping[str, str]):
    """Parents of this DAG run, the oldest first, and those of deleted ones of the same id in the same Airflow."""
    query = f"tags.`{DAG_ID_TAG}` = '{dag_id}' AND tags.`{DAG_RUN_ID_TAG}` = '{dag_run_id}'"
    order = ["attributes.start_time ASC", "attributes.run_id ASC"]
    runs = [
        run
        for run in paged(client.search_runs, [experiment_id], query, order_by=order)
        if in_same_airflow(run.data.tags, tags) and REPLACED_TAG not in run.data.tags
    ]
    found = [run for run in runs if in_same_life(run.data.tags, tags)]
    return found, [run for run in runs if run not in found]


def close_parent(run_id: str, failed_tasks: Sequence[str] = (), not_promoted: str | None = None) -> None:
    """Give the parent its final status: FAILED where tasks failed, naming them in a tag, else FINISHED.

    The reason of a failure that a retry has mended is taken away. Children that are still open become FAILED in either
    case: nobody finished them.

    Args:
        run_id: the parent.
        failed_tasks: names of the tasks that failed.
        not_promoted: why the task between `decide` and `promote` said no, where it did.
    """
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    run = _existing(run_id)
    _end_children(client, run, "FAILED")
    _count_children(client, run)
    _link_to_airflow(client, run)
    if not_promoted:
        client.set_tag(run_id, PROMOTION_TAG, f"not promoted: {not_promoted}")
    if failed_tasks:
        client.set_tag(run_id, FAILED_TASKS_TAG, ", ".join(failed_tasks))
    else:
        for key in {FAILED_TASKS_TAG, *ERROR_TAGS} & run.data.tags.keys():
            client.delete_tag(run_id, key)
    if {NOTHING_NEW_TAG, MODEL_VERSION_TAG} <= run.data.tags.keys():
        # Somebody has cleared the tasks that were skipped.
        client.delete_tag(run_id, NOTHING_NEW_TAG)
    client.set_terminated(run_id, "FAILED" if failed_tasks else "FINISHED")


def abandon_parent(run_id: str, status: str, reason: str) -> bool:
    """End a parent whose close task will not run, unless it has ended meanwhile; its open children become KILLED.

    Args:
        run_id: the parent.
        status: FAILED or KILLED.
        reason: kept in a tag.

    Returns:
        Whether the parent was still open.
    """
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    # Read anew: the close task may have been faster.
    run = client.get_run(run_id)
    if run.info.status != "RUNNING":
        return False
    _end_children(client, run, "KILLED")
    _link_to_airflow(client, run)
    client.set_tag(run_id, END_REASON_TAG, reason)
    client.set_terminated(run_id, status)
    return True


def _end_children(client, parent, status: str) -> None:
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}' AND attributes.status = 'RUNNING'"
    # Until there is none: a task that still works may open one meanwhile.
    while children := list(paged(client.search_runs, [parent.info.experiment_id], query)):
        done = _finished_keys(client, parent)
        for child in children:
            if child.data.tags.get(KEY_TAG) in done:
                log.warning("Child run %s is the twin of a finished one and is deleted", child.info.run_id)
                client.delete_run(child.info.run_id)
                continue
            log.warning("Child run %s was left open and is now %s", child.info.run_id, status)
            client.set_terminated(child.info.run_id, status)


def _count_children(client, parent) -> None:
    """Say how many child runs are finished, where somebody has deleted or changed some since they were counted."""
    counted = parent.data.metrics.get(DONE_METRIC)
    if counted is None:
        return
    found = len(_finished_keys(client, parent))
    if found == counted:
        return
    log.warning(
        "%d child runs are finished and %d were made: somebody has deleted or changed some; clear the mapped task to "
        "have them made again",
        found,
        counted,
    )
    # MLflow shows the value of the highest step.
    last = max(point.step for point in client.get_metric_history(parent.info.run_id, DONE_METRIC))
    client.log_metric(parent.info.run_id, DONE_METRIC, found, step=last)


def _finished_keys(client, parent) -> set[str]:
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}' AND attributes.status = 'FINISHED'"
    found = paged(client.search_runs, [parent.info.experiment_id], query)
    return {run.data.tags[KEY_TAG] for run in found if KEY_TAG in run.data.tags}


def _link_to_airflow(client, run) -> None:
    """Add the DAG run's page to the description; at the end, since the pipeline may write one of its own."""
    url, note = run.data.tags.get(DAG_RUN_URL_TAG), run.data.tags.get(NOTE_TAG, "")
    if url and url not in note:
        client.set_tag(run.info.run_id, NOTE_TAG, f"{note}\n\n[This DAG run in Airflow]({url})".strip())


def in_parent(run_id: str | None, work: Callable[[], Result]) -> Result:
    """Call `work` with the parent as MLflow's active run, and leave it RUNNING.

    The active run is a matter of the thread: when this one ends nothing leaks into the next task of the
    process, and MLflow's exit hook finds nothing to end. Without an id, `work` runs untracked.

    Raises:
        PermanentError: somebody deleted the parent meanwhile.
    """
    outcome: Future[Result] = Future()

    def resumed() -> None:
        try:
            if run_id is None:
                outcome.set_result(work())
                return
            # A run that a node nests in the parent would otherwise go into MLflow's experiment "Default".
            with variable(_EXPERIMENT, _resumed(run_id).info.experiment_id):
                outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.set_exception(error)

    # A daemon, and no executor that is waited for: the task's time-out, a signal to the main thread, must end it.
    threading.Thread(target=resumed, name="kedro", daemon=True).start()
    return outcome.result()


def _resumed(run_id: str):
    """The parent as MLflow's active run of this thread."""
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return mlflow.start_run(run_id=run_id)
    except MlflowException:
        _existing(run_id)
        raise


def _existing(run_id: str):
    """The run.

    Raises:
        PermanentError: somebody deleted it, for now or for good.
    """
    from mlflow.entities import LifecycleStage
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    run = None
    try:
        run = MlflowClient().get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    if run is None or run.info.lifecycle_stage == LifecycleStage.DELETED:
        remedy = f"restore it there, or clear {OPEN_RUN_TASK}"
        raise PermanentError(f"The parent run {run_id} was deleted in MLflow: {remedy}")
    return run
