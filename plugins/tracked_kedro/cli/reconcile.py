"""`make reconcile`: ends parent runs that no close task will end, as Airflow's database tells them."""

from __future__ import annotations

import sys

from tracked_kedro import names
from tracked_kedro.cli.printable import printable
from tracked_kedro.errors import UnavailableError, classified
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.parent_run.reconciliation import StateOf, reconcile


def run() -> int:
    """End what nobody will close, and print it.

    Returns:
        Exit code: 0, or 1 when the tracking server or Airflow's database does not answer.
    """
    try:
        tracking_server.connect()
        ended = reconcile(*_database())
    except Exception as error:
        seen = classified(error)
        if not isinstance(seen, UnavailableError):
            raise
        print(" ".join(str(seen).split()), file=sys.stderr)
        return 1
    for one in ended:
        print(f"{printable(one.name)} ({one.run_id}) is {one.status} now: {one.reason}")
    print(f"{len(ended)} run{'' if len(ended) == 1 else 's'} ended that nobody would have closed.")
    return 0


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
