"""One look at parent runs: what is RUNNING on the tracking server against Airflow's database."""

from __future__ import annotations

from tracked_kedro import names
from tracked_kedro.cli.printable import printable
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.parent_run.reconciliation import Look, StateOf, Verdicts, reconcile


def look(known: Verdicts | None = None) -> Look:
    """Compare what is RUNNING on the tracking server with Airflow's database once, and end what is over.

    Args:
        known: of DAG runs whose end the caller knows more about than the database: status and reason.
    """
    tracking_server.connect()
    return reconcile(*_database(), known=known)


def sentences(found: Look) -> list[str]:
    """What to tell of a look, a line a run."""
    return [
        *(f"{printable(one.name)} ({one.run_id}) is {one.status} now: {one.reason}" for one in found.ended),
        *(f"{run_id} says RUNNING, its DAG run is over, and the server refuses to end it" for run_id in found.left),
    ]


def _database() -> tuple[StateOf, str | None]:
    """How Airflow's database answers, and its identity."""
    from airflow.models.dagrun import DagRun
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    def state_of(dag_id: str, dag_run_id: str) -> str | None:
        with create_session() as session:
            return session.scalar(select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == dag_run_id))

    return state_of, Variable.get(names.AIRFLOW_VARIABLE, default_var=None)
