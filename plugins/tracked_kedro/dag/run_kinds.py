"""Who asked for a DAG run: the schedule, or a person."""

from __future__ import annotations

from typing import Any


def run_type(context: Any) -> str:
    """Airflow's word for what started the DAG run: scheduled, manual, backfill, asset_triggered, …"""
    kind = context["dag_run"].run_type
    return getattr(kind, "value", kind)


def is_the_schedules_own(context: Any) -> bool:
    """Whether nobody asked for it: the schedule started it, nobody configured it, and nobody cleared it since."""
    dag_run = context["dag_run"]
    return run_type(context) == "scheduled" and not dag_run.conf and not dag_run.clear_number
