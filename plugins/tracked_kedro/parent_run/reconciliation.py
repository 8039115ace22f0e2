"""Parent runs that no close task will end: their DAG run is over or gone, or the process that ran it is.

`make reconcile` and the listener ask Airflow's database (`tracked_kedro.cli.reconcile`), `open_run` asks Airflow's API.
Whatever may still be alive is left alone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracked_kedro import names
from tracked_kedro.paging import paged
from tracked_kedro.parent_run import runs

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
    wanted = list(experiments or (one.experiment_id for one in paged(client.search_experiments)))
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


def _running(client, experiments: Sequence[str], tag: str) -> list[Any]:
    query = f"attributes.status = 'RUNNING' AND tags.`{tag}` IS NOT NULL"
    return list(paged(client.search_runs, list(experiments), query))


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
