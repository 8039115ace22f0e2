"""Opening a DAG run's parent: what `open_run` does, whoever's pipeline it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from tracked_kedro import compatibility, names
from tracked_kedro.addresses import run_in_mlflow
from tracked_kedro.dag.abandoned import end_abandoned
from tracked_kedro.dag.cutoffs import cutoff
from tracked_kedro.dag.run_tags import airflow_identity, tags_of
from tracked_kedro.dag.task_session import guarded
from tracked_kedro.errors import PermanentError
from tracked_kedro.kedro_side.sessions import Session
from tracked_kedro.month import month_before
from tracked_kedro.parent_run import runs
from tracked_kedro.parent_run.environment import variable

log = logging.getLogger(__name__)


def opened_parent(
    session: Session, pipeline: str, context: Any, more_tags: Callable[[], Mapping[str, str]] = dict
) -> str | None:
    """Open the parent run of this DAG run, in the experiment of its pipeline.

    Args:
        session: of this project, which says where runs go to.
        pipeline: the name of the experiment's pipeline, and of the run.
        context: what Airflow tells the task.
        more_tags: of the run, besides those of the DAG run.

    Returns:
        Its id; None where tracking is off, which other tasks then find in this task's XCom.
    """

    def opened() -> str | None:
        kedro = session.load_context()
        if not kedro.params.get(names.USE_MLFLOW, True):
            log.info("use_mlflow is false: nothing will be tracked")
            return None
        if pipeline in (kedro.mlflow.tracking.disable_tracking.pipelines or []):
            log.info("mlflow.yml disables tracking of %s: nothing will be tracked", pipeline)
            return None
        experiment = compatibility.experiment_of(kedro.mlflow)
        airflow = airflow_identity()
        end_abandoned(experiment.experiment_id, airflow, context)
        dag_run = context["dag_run"]
        name = f"{pipeline} {month_before(cutoff(context))}"
        tags = {**tags_of(pipeline, airflow, context), **more_tags()}
        return runs.open_parent(experiment.experiment_id, dag_run.dag_id, dag_run.run_id, name, tags)

    # It is the first call to the tracking server, and the task's own retries have the patience.
    with variable("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"):
        run_id = guarded(lambda: runs.in_parent(None, opened))
    if run_id is None:
        context["ti"].xcom_push(key=names.UNTRACKED, value=True)
    else:
        log.info("MLflow run: %s", run_in_mlflow(run_id))
    log.info("parent_run_id=%s", run_id)
    return run_id


def refuse_unknown_parameters(context: Any) -> None:
    """Refuse what Airflow lets through.

    Raises:
        PermanentError: the DAG run was asked for with a parameter that its DAG does not take.
    """
    known = set(context["dag"].params)
    unknown = sorted(set(context["dag_run"].conf or {}) - known)
    if names.PROMOTION in unknown and names.PROMOTION_MODE in known:
        raise PermanentError(f"Unknown parameter {names.PROMOTION!r}: it is called {names.PROMOTION_MODE} since 0.3.0")
    if unknown:
        raise PermanentError(f"Unknown parameters {unknown}; this DAG takes {sorted(known)}")
