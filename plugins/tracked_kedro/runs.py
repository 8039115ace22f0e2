"""Life of the one parent MLflow run of a DAG run: opened, joined, closed. Every step may be repeated."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tracked_kedro.names import DAG_ID_TAG, DAG_RUN_ID_TAG

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def open_parent(experiment_id: str, dag_id: str, dag_run_id: str, name: str, tags: Mapping[str, str]) -> str:
    """Find or create the parent run of a DAG run and mark it RUNNING.

    A run is found by its tags first, so that a repeated or retried call makes no second one; should two
    calls have raced, both settle on the older run.

    Returns:
        Id of the parent run.
    """
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    found = _parents(client, experiment_id, dag_id, dag_run_id)
    if not found:
        identity = {DAG_ID_TAG: dag_id, DAG_RUN_ID_TAG: dag_run_id}
        created = client.create_run(experiment_id, run_name=name, tags={**tags, **identity})
        found = _parents(client, experiment_id, dag_id, dag_run_id) or [created]
        if found[0].info.run_id != created.info.run_id:
            client.delete_run(created.info.run_id)
    run = found[0]
    if run.info.status != "RUNNING":
        client.update_run(run.info.run_id, status="RUNNING")
    return run.info.run_id


def _parents(client, experiment_id: str, dag_id: str, dag_run_id: str):
    query = f"tags.`{DAG_ID_TAG}` = '{dag_id}' AND tags.`{DAG_RUN_ID_TAG}` = '{dag_run_id}'"
    return client.search_runs([experiment_id], query, order_by=["attributes.start_time ASC"])


def close_parent(run_id: str, status: str, tags: Mapping[str, str]) -> None:
    """Give the parent its final status, and end children that were left open with the same one."""
    from mlflow.tracking import MlflowClient
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    client = MlflowClient()
    run = client.get_run(run_id)
    query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}' AND attributes.status = 'RUNNING'"
    for child in client.search_runs([run.info.experiment_id], query):
        log.warning("Child run %s was left open and is now %s", child.info.run_id, status)
        client.set_terminated(child.info.run_id, status)
    for key, value in tags.items():
        client.set_tag(run_id, key, value)
    client.set_terminated(run_id, status)


def in_parent(run_id: str | None, work: Callable[[], Result]) -> Result:
    """Call `work` with the parent as MLflow's active run, and leave it RUNNING.

    The active run is a matter of the thread: when this one ends nothing leaks into the next task of the
    process, and MLflow's exit hook finds nothing to end. Without an id, `work` runs untracked.
    """

    def resumed() -> Result:
        if run_id is not None:
            import mlflow

            mlflow.start_run(run_id=run_id)
        return work()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="kedro") as executor:
        return executor.submit(resumed).result()
