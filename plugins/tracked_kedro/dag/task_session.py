"""A task's Kedro session, made of what the DAG run was asked for, and its work inside the parent run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from tracked_kedro import names
from tracked_kedro.addresses import run_in_mlflow
from tracked_kedro.dag.cutoffs import cutoff
from tracked_kedro.dag.run_kinds import run_type
from tracked_kedro.errors import PermanentError, classified
from tracked_kedro.kedro_side.run_keys import earlier_run_key, run_key
from tracked_kedro.kedro_side.sessions import Session, nested
from tracked_kedro.parent_run import runs

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def session_of(pipeline: str, parameters: dict[str, str], context: Any, extra: dict[str, Any] | None = None) -> Session:
    """The Kedro session of this DAG run: its parameters under their Kedro names, its month, its own data folder."""
    month = guarded(lambda: cutoff(context)).isoformat() if names.CUTOFF in parameters else None
    return Session(pipeline, {**kedro_parameters(parameters, context, month), **(extra or {})})


def kedro_parameters(parameters: dict[str, str], context: Any, month: str | None = None) -> dict[str, Any]:
    """Parameters of the DAG run under their Kedro names, and its data folder; its cutoff as given."""
    asked = {**context["params"], names.PROMOTION_MODE: promotion_mode(context)}
    given = {**asked, **_when_scheduled(context), names.CUTOFF: month}
    values = {parameters[key]: value for key, value in given.items() if key in parameters and value is not None}
    return {**nested(values), names.RUN_KEY: run_key_of(context)}


def run_key_of(context: Any) -> str:
    """Name of the DAG run's data folder. A run that `open_run` began before 0.3.0 goes on where its data lie."""
    ti, run_id = context["ti"], context["dag_run"].run_id
    # Of a run that begins now it is known; what an earlier one was called cannot be told from its id.
    if ti.task_id == names.OPEN_RUN_TASK:
        return run_key(run_id)
    return ti.xcom_pull(task_ids=names.OPEN_RUN_TASK, key=names.RUN_KEY) or earlier_run_key(run_id)


def promotion_mode(context: Any) -> str | None:
    """Who decides on a promotion in this DAG run; None where its DAG does not promote.

    A DAG run of before 0.3.0 that goes on after an upgrade says it under the old name.
    """
    asked: str | None = (context["dag_run"].conf or {}).get(names.PROMOTION)
    return asked or context["params"].get(names.PROMOTION_MODE)


def _when_scheduled(context: Any) -> dict[str, Any]:
    """Values that parameters have in a run that the schedule started and nobody configured."""
    dag_run = context["dag_run"]
    if run_type(context) != "scheduled":
        return {}
    declared = {key: context["dag"].params.get_param(key).schema for key in context["dag"].params}
    return {
        key: schema["when_scheduled"]
        for key, schema in declared.items()
        if "when_scheduled" in schema and key not in (dag_run.conf or {})
    }


def in_parent(context: Any, session: Session, work: Callable[[], Any]) -> Any:
    """Call `work` with the DAG run's parent as MLflow's active run, on the server that mlflow.yml names."""
    run_id = guarded(lambda: parent_of(context))
    if run_id is not None:
        guarded(session.connect)
    return guarded(lambda: runs.in_parent(run_id, work))


def parent_of(context: Any) -> str | None:
    """Id of the parent run, which the task's log then begins with; None where `open_run` said that nothing is tracked.

    Raises:
        PermanentError: it said neither: a person marked it as success. Each task would make a run of its own.
    """
    ti = context["ti"]
    run_id = ti.xcom_pull(task_ids=names.OPEN_RUN_TASK)
    if run_id is None and not ti.xcom_pull(task_ids=names.OPEN_RUN_TASK, key=names.UNTRACKED):
        raise PermanentError(
            f"{names.OPEN_RUN_TASK} left no parent run id (was it marked as success?); clear {names.OPEN_RUN_TASK}"
        )
    if run_id is not None:
        log.info("MLflow run: %s", run_in_mlflow(run_id))
    return run_id


def guarded(work: Callable[[], Result]) -> Result:
    """Call `work`; its errors come out as the retry policy wants to see them."""
    try:
        return work()
    except Exception as error:
        seen = classified(error)
        # On one line, which `make retrain` shows; the traceback is Airflow's to log.
        log.error("%s", " ".join(str(seen).split()))
        if seen is error:
            raise
        raise seen from error
