"""What a generated DAG calls. Imports of Kedro and MLflow stay inside the tasks: a DAG file must parse fast."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, cast

from airflow.sdk import BaseOperator, conf, get_current_context, task

from tracked_kedro import compatibility, names
from tracked_kedro.dag.alerts import alerts, deadline
from tracked_kedro.dag.cutoffs import cutoff, settle
from tracked_kedro.dag.executors import executor, pod_override
from tracked_kedro.dag.retries import RETRY_POLICY
from tracked_kedro.dag.run_tags import airflow_identity, tags_of
from tracked_kedro.errors import PermanentError, classified
from tracked_kedro.kedro_side.plain_values import PLAIN
from tracked_kedro.kedro_side.run_keys import earlier_run_key, run_key
from tracked_kedro.kedro_side.sessions import Session, nested
from tracked_kedro.month import month_before
from tracked_kedro.parent_run import runs
from tracked_kedro.parent_run.environment import variable
from tracked_kedro.parent_run.reconciliation import reconcile

__all__ = [
    "PLAIN",
    "RETRY_POLICY",
    "RunNodes",
    "alerts",
    "approve",
    "close_run",
    "deadline",
    "executor",
    "list_shards",
    "open_run",
    "pod_override",
    "run_shard",
]

log = logging.getLogger(__name__)


@task
def open_run(
    *, pipeline: str, parameters: dict[str, str], max_age_months: int | None = None, **context: Any
) -> str | None:
    """Open the parent MLflow run of this DAG run; its id is this task's XCom value (None: tracking is off)."""
    _guarded(lambda: _refuse_unknown_parameters(context))
    context["ti"].xcom_push(key=names.RUN_KEY, value=_run_key(context))
    if names.CUTOFF in parameters:
        _guarded(lambda: settle(pipeline, _kedro_parameters(parameters, context), max_age_months, context))
    session = _session(pipeline, parameters, context)

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
        _end_abandoned(experiment.experiment_id, airflow, context)
        dag_run = context["dag_run"]
        name = f"{pipeline} {month_before(cutoff(context))}"
        return runs.open_parent(
            experiment.experiment_id, dag_run.dag_id, dag_run.run_id, name, tags_of(pipeline, airflow, context)
        )

    # It is the first call to the tracking server, and the task's own retries have the patience.
    with variable("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"):
        run_id = _guarded(lambda: runs.in_parent(None, opened))
    if run_id is None:
        context["ti"].xcom_push(key=names.UNTRACKED, value=True)
    log.info("parent_run_id=%s", run_id)
    return run_id


class RunNodes(BaseOperator):
    """Runs Kedro nodes inside the parent run and leaves it open.

    An operator, not a decorated function as its neighbours: a DAG has hundreds of these, and Airflow takes three
    times as long to build a decorated task.

    Args:
        pipeline: name of the Kedro pipeline.
        parameters: Kedro parameter by DAG parameter.
        nodes: names of the nodes.
        xcom: dataset among their outputs whose (small) value other tasks need; it becomes this task's XCom value.
        approved_by: task whose XCom value says who approved what these nodes do.
        settings: Airflow's.
    """

    def __init__(
        self,
        *,
        pipeline: str,
        parameters: dict[str, str],
        nodes: list[str],
        xcom: str | None = None,
        approved_by: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.pipeline = pipeline
        self.parameters = parameters
        self.nodes = nodes
        self.xcom = xcom
        self.approved_by = approved_by

    def execute(self, context: Any) -> Any:
        """Airflow's call."""
        extra = {}
        if self.approved_by:
            extra[names.APPROVAL] = context["ti"].xcom_pull(task_ids=self.approved_by)
        session = _session(self.pipeline, self.parameters, context, extra)

        def run() -> Any:
            made = session.run(nodes=self.nodes)
            return made[self.xcom].load() if self.xcom else None

        return _in_parent(context, session, run)


def approve(*, hours: float, doc_md: str) -> BaseOperator:
    """The task between `decide` and `promote` of a pipeline that promotes: see `tracked_kedro.dag.approval.approve`."""
    # A DAG that does not promote need not import Airflow's operator: 15 ms of each parsing.
    from tracked_kedro.dag import approval

    return approval.approve(hours=hours, doc_md=doc_md)


@task
def list_shards(*, pipeline: str, parameters: dict[str, str], keys: str, size: str, **context: Any) -> list[list[str]]:
    """Split the keys that the dataset `keys` lists into shards of as many as the DAG parameter `size` says."""
    session = _session(pipeline, parameters, context)
    found = _in_parent(context, session, lambda: session.load_dataset(keys))
    wanted = int(context["params"][size])
    limit = conf.getint("core", "max_map_length")
    per_task = max(wanted, math.ceil(len(found) / limit))
    if per_task > wanted:
        log.warning("%s raised from %d to %d: Airflow maps at most %d tasks", size, wanted, per_task, limit)
    return [found[start : start + per_task] for start in range(0, len(found), per_task)]


@task
def run_shard(*, pipeline: str, parameters: dict[str, str], namespace: str, shard: list[str], **context: Any) -> None:
    """Run a Kedro namespace for one shard of keys inside the parent run."""
    # The template of the task's name is rendered from the context that Airflow holds, not from our copy.
    cast(Any, get_current_context())["shard_label"] = (
        ", ".join(shard) if len(shard) <= 5 else f"{shard[0]} … {shard[-1]} ({len(shard)})"
    )
    session = _session(pipeline, parameters, context, {names.SHARD: list(shard)})
    _in_parent(context, session, lambda: session.run(namespace=namespace))


@task
def close_run(**context: Any) -> None:
    """Give the parent run the state that this DAG run ends with.

    Raises:
        PermanentError: a task failed, so that the DAG run ends as failed too.
    """
    ti, dag_run = context["ti"], context["dag_run"]
    states = ti.get_task_states(dag_id=dag_run.dag_id, run_ids=[dag_run.run_id]).get(dag_run.run_id, {})
    # Where a task is "upstream_failed", another one has failed: that one is worth naming.
    failed = sorted(key for key, state in states.items() if state == "failed")
    # Where a task has failed for want of a parent, that one is worth naming.
    run_id = ti.xcom_pull(task_ids=names.OPEN_RUN_TASK) if failed else _guarded(lambda: _parent(context))
    if run_id is not None:
        # A DAG bears the name of its pipeline.
        _guarded(Session(dag_run.dag_id).connect)
        asked = names.APPROVE_TASK in states
        not_promoted = ti.xcom_pull(task_ids=names.APPROVE_TASK, key=names.REASON) if asked else None
        _guarded(lambda: runs.in_parent(None, lambda: runs.close_parent(run_id, failed, not_promoted)))
    log.info("parent_run_id=%s closed, failed tasks: %s", run_id, ", ".join(failed) or "none")
    if failed:
        raise PermanentError(f"Tasks failed: {', '.join(failed)}; see their logs")


def _session(pipeline: str, parameters: dict[str, str], context: Any, extra: dict[str, Any] | None = None) -> Session:
    """The Kedro session of this DAG run: its parameters under their Kedro names, its month, its own data folder."""
    month = _guarded(lambda: cutoff(context)).isoformat() if names.CUTOFF in parameters else None
    return Session(pipeline, {**_kedro_parameters(parameters, context, month), **(extra or {})})


def _kedro_parameters(parameters: dict[str, str], context: Any, month: str | None = None) -> dict[str, Any]:
    """Parameters of the DAG run under their Kedro names, and its data folder; its cutoff as given."""
    given = {**context["params"], **_when_scheduled(context), names.CUTOFF: month}
    values = {parameters[key]: value for key, value in given.items() if key in parameters and value is not None}
    return {**nested(values), names.RUN_KEY: _run_key(context)}


def _run_key(context: Any) -> str:
    """Name of the DAG run's data folder. A run that `open_run` began before 0.3.0 goes on where its data lie."""
    ti, run_id = context["ti"], context["dag_run"].run_id
    # Of a run that begins now it is known; what an earlier one was called cannot be told from its id.
    if ti.task_id == names.OPEN_RUN_TASK:
        return run_key(run_id)
    return ti.xcom_pull(task_ids=names.OPEN_RUN_TASK, key=names.RUN_KEY) or earlier_run_key(run_id)


def _when_scheduled(context: Any) -> dict[str, Any]:
    """Values that parameters have in a run that the schedule started and nobody configured."""
    dag_run = context["dag_run"]
    if getattr(dag_run.run_type, "value", dag_run.run_type) != "scheduled":
        return {}
    declared = {key: context["dag"].params.get_param(key).schema for key in context["dag"].params}
    return {
        key: schema["when_scheduled"]
        for key, schema in declared.items()
        if "when_scheduled" in schema and key not in (dag_run.conf or {})
    }


def _in_parent(context: Any, session: Session, work: Callable[[], Any]) -> Any:
    """Call `work` with the DAG run's parent as MLflow's active run, on the server that mlflow.yml names."""
    run_id = _guarded(lambda: _parent(context))
    if run_id is not None:
        _guarded(session.connect)
    return _guarded(lambda: runs.in_parent(run_id, work))


def _parent(context: Any) -> str | None:
    """Id of the parent run, None where `open_run` said that nothing is tracked.

    Raises:
        PermanentError: it said neither: a person marked it as success. Each task would make a run of its own.
    """
    ti = context["ti"]
    run_id = ti.xcom_pull(task_ids=names.OPEN_RUN_TASK)
    if run_id is None and not ti.xcom_pull(task_ids=names.OPEN_RUN_TASK, key=names.UNTRACKED):
        raise PermanentError(
            f"{names.OPEN_RUN_TASK} left no parent run id (was it marked as success?); clear {names.OPEN_RUN_TASK}"
        )
    return run_id


def _refuse_unknown_parameters(context: Any) -> None:
    known = set(context["dag"].params)
    unknown = sorted(set(context["dag_run"].conf or {}) - known)
    if unknown:
        raise PermanentError(f"Unknown parameters {unknown}; this DAG takes {sorted(known)}")


def _end_abandoned(experiment: str, airflow: str, context: Any) -> None:
    """End what earlier DAG runs left open where no listener saw them end; no reason not to begin this one."""
    ti = context["ti"]

    def state_of(dag_id: str, dag_run_id: str) -> str | None:
        # Asking for the state of a DAG run that is gone is an error.
        known = ti.get_dr_count(dag_id, run_ids=[dag_run_id])
        return ti.get_dagrun_state(dag_id, dag_run_id) if known else None

    try:
        for run in reconcile(state_of, airflow, [experiment]):
            log.warning("%s (%s) is %s now: %s", run.name, run.run_id, run.status, run.reason)
    except Exception:
        log.exception("Runs that were left open could not be looked for; `make reconcile` does it too")


def _guarded(work):
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
