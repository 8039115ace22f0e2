"""Ends what a `make retrain` leaves that did not come to its end: its DAG run, and that one's parent run."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from tracked_kedro.cli.looking import look
from tracked_kedro.dag.retries import DAGS_TEST
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.parent_run import runs

# Somebody waits: a server that is down is left to the next command.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}


def end(dag: str, since: float, run_id: str | None, status: str, reason: str) -> None:
    """End the DAG runs of `airflow dags test` that began since a moment and whose process is gone, and their parents.

    Args:
        dag: id of the DAG.
        since: seconds since 1970.
        run_id: the parent, where it is known.
        status: FAILED or KILLED, of the parent.
        reason: kept with it.
    """
    impatient()
    _end_dag_runs(dag, datetime.fromtimestamp(since, UTC))
    if run_id is not None:
        tracking_server.connect()
        runs.abandon_parent(run_id, status, reason)
    # By the process that is gone, where nobody knows the parent.
    look()


def impatient() -> None:
    """Have this process not wait long for a tracking server that is down, unless its environment says otherwise."""
    os.environ.update({name: value for name, value in _IMPATIENT.items() if name not in os.environ})


def _end_dag_runs(dag: str, since: datetime) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, State, TaskInstanceState
    from sqlalchemy import select

    with create_session() as session:
        found = select(DagRun).where(
            DagRun.dag_id == dag,
            DagRun.triggering_user_name == DAGS_TEST,
            DagRun.state.in_(State.unfinished_dr_states),
            DagRun.start_date >= since,
        )
        for dag_run in session.scalars(found):
            dag_run.set_state(DagRunState.FAILED)
            tasks = select(TaskInstance).where(TaskInstance.dag_id == dag, TaskInstance.run_id == dag_run.run_id)
            for task in session.scalars(tasks):
                if task.state in State.unfinished and task.state is not None:
                    task.set_state(TaskInstanceState.FAILED, session=session)
