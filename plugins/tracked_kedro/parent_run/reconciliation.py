"""Parent runs that no close task will end: their DAG run is over or gone, or the process that ran it is.

`make reconcile` and the process beside a scheduler (`tracked_kedro.cli.watch`) ask Airflow's database, `open_run` asks
Airflow's API.
Whatever may still be alive is left alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracked_kedro import names
from tracked_kedro.paging import paged
from tracked_kedro.parent_run import runs

log = logging.getLogger(__name__)

# What a tracking server answers where a run is not ours to end, or names a parent that is not there.
_REFUSALS = ("PERMISSION_DENIED", "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")

#: State of a DAG run ("queued", "running", "success", "failed"), None where Airflow does not know it.
StateOf = Callable[[str, str], str | None]
#: Status and reason to end parents with, by the two ids of their DAG runs.
Verdicts = Mapping[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True)
class Ended:
    """A run that was ended."""

    run_id: str
    name: str
    status: str
    reason: str


@dataclass(frozen=True)
class Look:
    """What one look has come to.

    Attributes:
        ended: runs that nobody would have closed.
        left: ids of parents that say RUNNING though their DAG run is over, and that the server did not let us end.
    """

    ended: tuple[Ended, ...]
    left: tuple[str, ...]


def reconcile(
    state_of: StateOf,
    airflow: str | None,
    experiments: Sequence[str] | None = None,
    known: Verdicts | None = None,
) -> Look:
    """End the parents that are RUNNING for nobody, and children that are RUNNING under a parent that has ended.

    Args:
        state_of: state of a DAG run by its two ids.
        airflow: identity of the Airflow that is asked; the runs of another one are none of its business.
        experiments: ids of the experiments to look at, None for all.
        known: what the caller knows better, for DAG runs that it has ended itself.
    """
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    wanted = list(experiments or (one.experiment_id for one in paged(client.search_experiments)))
    ended: list[Ended] = []
    left: list[str] = []
    for run in _running(client, wanted, names.DAG_RUN_ID_TAG):
        with _left_alone_where_refused(run, left):
            verdict = _verdict(run.data.tags, state_of, airflow, known or {})
            if verdict and runs.abandon_parent(run.info.run_id, *verdict):
                ended.append(Ended(run.info.run_id, run.info.run_name, *verdict))
    return Look((*ended, *_end_strays(client, wanted, airflow)), tuple(left))


@contextlib.contextmanager
def _left_alone_where_refused(run, left: list[str]) -> Iterator[None]:
    """Whoever may write to the tracking server may have written this run: it must not keep others from their end.

    Args:
        left: gets the id of a run that is refused.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in _REFUSALS:
            raise
        left.append(run.info.run_id)
        log.warning("Run %s is left as it is: %s", run.info.run_id, str(error).partition("\n")[0])


def _verdict(
    tags: Mapping[str, str], state_of: StateOf, airflow: str | None, known: Verdicts
) -> tuple[str, str] | None:
    """Status to end a parent with, and why; None to leave it alone."""
    process = tags.get(names.PROCESS_TAG)
    if process and _is_gone(process):
        return "KILLED", f"`airflow dags test` ended before its DAG run did (process {process})"
    if airflow is None or tags.get(names.AIRFLOW_TAG) != airflow:
        return None
    ids = tags.get(names.DAG_ID_TAG, ""), tags[names.DAG_RUN_ID_TAG]
    if ids in known:
        return known[ids]
    state = state_of(*ids)
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
        with _left_alone_where_refused(run, []):
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

    host, _, rest = process.partition(" ")
    # A tag of any other shape is none of ours.
    if host != socket.gethostname() or not (numbers := re.fullmatch(r"([0-9]{1,10}) ([0-9]{1,12})", rest)):
        return False
    try:
        return abs(psutil.Process(int(numbers[1])).create_time() - int(numbers[2])) > 2
    except (psutil.NoSuchProcess, OverflowError):
        return True
