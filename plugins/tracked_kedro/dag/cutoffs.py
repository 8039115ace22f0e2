"""The month of a DAG run: named by a person, that of its data interval, or settled by the input.

Whoever triggers a DAG without a cutoff wants a model of what there is: on data that end a year ago, the month after the
newest observation. The schedule wants a model of this month, and on such data it refuses.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from tracked_kedro import names
from tracked_kedro.dag.run_kinds import run_type
from tracked_kedro.errors import PermanentError
from tracked_kedro.month import cutoff_of, month_before, months_between

log = logging.getLogger(__name__)


def cutoff(context: Any) -> date:
    """First day that the DAG run does not read.

    Raises:
        ValueError: the one that was asked for is no first day of a month.
    """
    asked = context["params"].get(names.CUTOFF)
    settled = None if asked else context["ti"].xcom_pull(task_ids=names.OPEN_RUN_TASK, key=names.CUTOFF)
    return _cutoff_of(context, asked or settled)


def settle(pipeline: str, parameters: Mapping[str, Any], max_age_months: int | None, context: Any) -> None:
    """Find the month of a DAG run that nobody named, for this task and all that follow.

    Args:
        pipeline: name of the Kedro pipeline.
        parameters: the run's Kedro parameters, without a cutoff.
        max_age_months: how much older than its month the newest input of a scheduled run may be; None: as it likes.
        context: of the task.

    Raises:
        PermanentError: a scheduled run has nothing but old input.
        ValueError: the input cannot be used.
    """
    if context["params"].get(names.CUTOFF):
        return
    # Not earlier: it imports Kedro, and a DAG file must parse fast.
    from tracked_kedro.kedro_side.settled_cutoff import settled_cutoff

    dag_run, month = context["dag_run"], _cutoff_of(context, None)
    kind = run_type(context)
    if kind == "scheduled":
        newest = settled_cutoff(pipeline, parameters) if max_age_months is not None else None
        age = months_between(date.fromisoformat(newest), month) if newest else 0
        if newest and max_age_months is not None and age > max_age_months:
            raise PermanentError(
                f"The newest input is of {month_before(date.fromisoformat(newest))}, {age} months before the month of "
                f"this scheduled run, {month_before(month)}: bring the input up to date, or trigger the DAG with "
                f"cutoff={newest} (max_age_months in airflow.yml: {max_age_months})"
            )
    # One that is about a month of the past, by its logical date, is about that month.
    elif kind != "backfill" and month >= _cutoff_of(context, None, dag_run.start_date):
        newest = settled_cutoff(pipeline, parameters)
        if newest and date.fromisoformat(newest) < month:
            log.info("Cutoff %s: the month after the newest input; nobody asked for another", newest)
            context["ti"].xcom_push(key=names.CUTOFF, value=newest)


def _cutoff_of(context: Any, explicit: str | None, moment: Any = None) -> date:
    dag_run = context["dag_run"]
    return cutoff_of(explicit, moment or dag_run.data_interval_end, dag_run.run_after)
