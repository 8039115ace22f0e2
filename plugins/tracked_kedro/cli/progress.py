"""What of Airflow's output a person wants to see while a DAG run goes on."""

from __future__ import annotations

import re

_STARTED = re.compile(r"\[DAG TEST\] starting task_id=(\S+) map_index=(-?\d+)")
_OURS = re.compile(r"\[(warning|error|info) *\] (.*?) +\[(retraining|tracked_kedro)[\w.]*\]")
# Last line of the traceback of a failed task, or of the command's own.
_RAISED = re.compile(r"^(?:tracked_kedro\.errors\.|airflow\.\S*\.)(\w+(?:Error|Exception)): (.*)")
# One line per series and shard is progress; one per step of each series is for the log.
_SHOWN = re.compile(
    r"Child run|is set aside|months observed|refresh:|Stream:|failed|simulated|raised from|is done:|Graphviz"
)


def event(line: str) -> str | None:
    """The event that a line of `airflow dags test` reports, None where it is of no interest on the screen."""
    if started := _STARTED.search(line):
        task, index = started.groups()
        return f"task {task}" if index == "-1" else f"task {task} [{index}]"
    if (ours := _OURS.search(line)) and (ours.group(1) != "info" or _SHOWN.search(ours.group(2))):
        return f"  {ours.group(2)}"
    if raised := _RAISED.match(line):
        return f"  {raised.group(1)}: {raised.group(2)}"
    return None
