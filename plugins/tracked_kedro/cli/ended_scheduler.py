"""DAG runs whose scheduler has ended beneath them, as that of `make ui` does: what was at work in it has ended, too.

A DAG run of which all that is open waits for a person's answer, or which has not begun, has lost nothing: it goes on
with the next scheduler, and its parent run says RUNNING as Airflow does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracked_kedro.cli.interrupted import impatient
from tracked_kedro.cli.looking import look
from tracked_kedro.dag.retries import DAGS_TEST


@dataclass(frozen=True)
class Outcome:
    """How many DAG runs were ended, and how many go on with the next scheduler."""

    ended: int
    waiting: int


def end_its_runs(reason: str) -> Outcome:
    """End the DAG runs that were at work, and their parent runs with the reason.

    To be called when no scheduler runs on this Airflow's database any more. DAG runs of `airflow dags test` are those
    of `make retrain`, and left alone.

    Args:
        reason: kept with each parent run.
    """
    impatient()
    ended, waiting = _end_dag_runs()
    if ended:
        look(dict.fromkeys(ended, ("KILLED", reason)))
    return Outcome(len(ended), waiting)


def _end_dag_runs() -> tuple[list[tuple[str, str]], int]:
    """Ids of those that were ended, and how many were not."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, State, TaskInstanceState
    from sqlalchemy import select

    ended, waiting = [], 0
    with create_session() as session:
        found = select(DagRun).where(DagRun.state.in_(State.unfinished_dr_states))
        for dag_run in session.scalars(found).all():
            if dag_run.triggering_user_name == DAGS_TEST:
                continue
            query = select(TaskInstance).where(
                TaskInstance.dag_id == dag_run.dag_id, TaskInstance.run_id == dag_run.run_id
            )
            tasks = list(session.scalars(query))
            if dag_run.state == DagRunState.QUEUED or _only_waits(task.state for task in tasks):
                waiting += 1
                continue
            dag_run.set_state(DagRunState.FAILED)
            for task in tasks:
                if task.state in State.unfinished and task.state is not None:
                    task.set_state(TaskInstanceState.FAILED, session=session)
            ended.append((dag_run.dag_id, dag_run.run_id))
    return ended, waiting


def _only_waits(states: Iterable[str | None]) -> bool:
    """Whether all that is open is a question to a person, and what comes after it."""
    from airflow.utils.state import State, TaskInstanceState

    opened = {state for state in states if state in State.unfinished and state is not None}
    return opened == {TaskInstanceState.AWAITING_INPUT}
