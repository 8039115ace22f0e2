"""Parent runs of earlier DAG runs that nobody saw end."""

from __future__ import annotations

import logging
from typing import Any

from tracked_kedro.parent_run.reconciliation import reconcile

log = logging.getLogger(__name__)


def end_abandoned(experiment: str, airflow: str, context: Any) -> None:
    """End what earlier DAG runs left open where no listener saw them end; no reason not to begin this one."""
    ti = context["ti"]

    def state_of(dag_id: str, dag_run_id: str) -> str | None:
        # Asking for the state of a DAG run that is gone is an error.
        known = ti.get_dr_count(dag_id, run_ids=[dag_run_id])
        return ti.get_dagrun_state(dag_id, dag_run_id) if known else None

    try:
        for run in reconcile(state_of, airflow, [experiment]).ended:
            log.warning("%s (%s) is %s now: %s", run.name, run.run_id, run.status, run.reason)
    except Exception:
        log.exception("Runs that were left open could not be looked for; `make reconcile` does it too")
