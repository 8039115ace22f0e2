"""`make reconcile`: ends parent runs that no close task will end, as Airflow's database tells them."""

from __future__ import annotations

import sys

from tracked_kedro.cli.left_over import end_left_over
from tracked_kedro.cli.looking import look, sentences
from tracked_kedro.errors import UnavailableError, classified


def run() -> int:
    """End what nobody will close, and print it.

    Returns:
        Exit code: 0, or 1 when the tracking server or Airflow's database does not answer.
    """
    try:
        end_left_over()
        found = look()
    except Exception as error:
        seen = classified(error)
        if not isinstance(seen, UnavailableError):
            raise
        print(" ".join(str(seen).split()), file=sys.stderr)
        return 1
    for line in sentences(found):
        print(line)
    if found.ended or not found.left:
        print(_conclusion(len(found.ended)))
    print(f"parents_out_of_step={len(found.left)}")
    return 0


def _conclusion(ended: int) -> str:
    if not ended:
        return "Every MLflow run that says RUNNING belongs to a DAG run that goes on: nothing was to be ended."
    return f"{ended} MLflow run{'' if ended == 1 else 's'} said RUNNING though the DAG run was over: ended now."
