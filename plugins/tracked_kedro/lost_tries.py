"""A try that never began does not count: the task is tried again as if it had not been.

A task that cannot reach the API server, or whose worker is killed before it began, ends as failed in Airflow's eyes
(audit log: "state mismatch"), and each such end takes one of its retries. The retry policy of a DAG is asked in the
task's own process, which was never there; so the scheduler's listener tells the two apart.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from airflow.listeners import hookimpl

from tracked_kedro.names import OPEN_RUN_TASK

log = logging.getLogger(__name__)

#: So often a task is given back a try, half an hour in all; whatever keeps it from beginning for longer is a failure.
LIMIT = 10
_BACK_OFF, _LONGEST = 5.0, 300.0  # seconds until the first further try, twice as many each time; and the most


@hookimpl
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: Any) -> None:
    """Airflow's call; in the scheduler before it stores what it has made of the task."""
    # Elsewhere somebody has set the state, or the task itself tells of its failure: it began.
    if sys.argv[1:2] != ["scheduler"] or not hasattr(task_instance, "queued_dttm"):
        return
    try:
        _give_back(task_instance)
    except Exception:
        log.exception("Whether %s had begun was not found out: the try counts", task_instance)


def _give_back(ti: Any) -> None:
    dag = getattr(ti.task, "dag", None)
    began = ti.last_heartbeat_at is not None and (ti.queued_dttm is None or ti.last_heartbeat_at >= ti.queued_dttm)
    if began or dag is None or not dag.has_task(OPEN_RUN_TASK):
        return
    given = ti.max_tries - ti.task.retries
    if given >= LIMIT:
        log.warning("%s has not begun in %d tries; the next ones count", ti, LIMIT)
        return
    from airflow.utils.state import TaskInstanceState

    ti.max_tries += 1
    ti.state = TaskInstanceState.UP_FOR_RETRY
    ti.retry_delay_override = min(_BACK_OFF * 2**given, _LONGEST)
    ti.retry_reason = "it never began: the try does not count"
    log.warning("%s never began: try %d does not count", ti, ti.try_number)
