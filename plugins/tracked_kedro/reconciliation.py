"""Parent runs that no close task will end: their DAG run is over or gone, or the process that ran it is.

`make reconcile` and the listener run this module as a program, which asks Airflow's database; `open_run` calls
`reconcile` and asks Airflow's API. Whatever may still be alive is left alone.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracked_kedro import names, runs
from tracked_kedro.errors import UnavailableError, classified

log = logging.getLogger(__name__)

#: State of a DAG run ("queued", "running", "success", "failed"), None where Airflow does not know it.
StateOf = Callable[[str, str], str | None]


@dataclass(frozen=True)
class Ended:
    """A run that was ended."""

    run_id: str
    name: str
    status: str
    reason: str


def reconcile(state_of: StateOf, airflow: str | None, experiments: Sequence[str] | None = None) -> list[Ended]:
    """End the parents that are RUNNING for nobody, and children that are RUNNING under a parent that has ended.

    Args:
        state_of: state of a DAG run by its two ids.
        airflow: identity of the Airflow that is asked; the runs of another one are none of its business.
        experiments: ids of the experiments to look at, None for all.
    """
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    wanted = list(experiments or (one.experiment_id for one in client.search_experiments(max_results=1000)))
    ended = []
    for run in _running(client, wanted, names.DAG_RUN_ID_TAG):
        verdict = _verdict(run.data.tags, state_of, airflow)
        if verdict and runs.abandon_parent(run.info.run_id, *verdict):
            ended.append(Ended(run.info.run_id, run.info.run_name, *verdict))
    return ended + _end_strays(client, wanted, airflow)


def _verdict(tags: Mapping[str, str], state_of: StateOf, airflow: str | None) -> tuple[str, str] | None:
    """Status to end a parent with, and why; None to leave it alone."""
    process = tags.get(names.PROCESS_TAG)
    if process and _is_gone(process):
        return "KILLED", f"`airflow dags test` ended before its DAG run did (process {process})"
    if airflow is None or tags.get(names.AIRFLOW_TAG) != airflow:
        return None
    state = state_of(tags.get(names.DAG_ID_TAG, ""), tags[names.DAG_RUN_ID_TAG])
    if state == "failed":
        return "FAILED", "Airflow ended the DAG run as failed without its close_run"
    if state == "success":
        return "KILLED", "the DAG run was set to success before its close_run"
    if state is None:
        return "KILLED", "the DAG run was deleted"
    return None


def _end_strays(client, experiments: Sequence[str], airflow: str | None) -> list[Ended]:
    """End children that a task opened after its DAG run had been ended, before it noticed."""
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    reason = "its parent run had ended"
    parents: dict[str, Any] = {}
    ended = []
    for run in _running(client, experiments, MLFLOW_PARENT_RUN_ID):
        parent_id = run.data.tags[MLFLOW_PARENT_RUN_ID]
        parent = parents[parent_id] = parents.get(parent_id) or client.get_run(parent_id)
        over = parent.info.status != "RUNNING" and airflow is not None
        if over and parent.data.tags.get(names.AIRFLOW_TAG) == airflow:
            client.set_tag(run.info.run_id, names.END_REASON_TAG, reason)
            client.set_terminated(run.info.run_id, "KILLED")
            ended.append(Ended(run.info.run_id, run.info.run_name, "KILLED", reason))
    return ended


def _running(client, experiments: Sequence[str], tag: str):
    token = None
    while True:
        query = f"attributes.status = 'RUNNING' AND tags.`{tag}` IS NOT NULL"
        page = client.search_runs(list(experiments), query, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def this_process() -> str:
    """Host, id and start of this process, which no other process shares."""
    import psutil

    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.0f}"


def _is_gone(process: str) -> bool:
    import psutil

    host, pid, start = process.rsplit(" ", 2)
    if host != socket.gethostname():
        return False
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(start)) > 2
    except psutil.NoSuchProcess:
        return True


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


def main() -> int:
    """End what nobody will close, and tell it.

    Returns:
        Exit code: 0, or 1 when the tracking server or Airflow's database does not answer.
    """
    try:
        ended = reconcile(*_database())
    except Exception as error:
        seen = classified(error)
        if not isinstance(seen, UnavailableError):
            raise
        print(" ".join(str(seen).split()), file=sys.stderr)
        return 1
    for run in ended:
        print(f"{run.name} ({run.run_id}) is {run.status} now: {run.reason}")
    print(f"{len(ended)} run{'' if len(ended) == 1 else 's'} ended that nobody would have closed.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
