"""What a generated DAG calls. Imports of Kedro and MLflow stay inside the tasks: a DAG file must parse fast."""

from __future__ import annotations

import logging
from typing import Any, cast

from airflow.sdk import BaseOperator, get_current_context, task
from airflow.sdk.exceptions import DownstreamTasksSkipped

from tracked_kedro import names
from tracked_kedro.dag.alerts import alerts, deadline
from tracked_kedro.dag.cutoffs import settle
from tracked_kedro.dag.executors import executor, pod_override
from tracked_kedro.dag.nothing_new import after, nothing_new
from tracked_kedro.dag.opening import opened_parent, refuse_unknown_parameters
from tracked_kedro.dag.promoting import carried_out, end_task, of_session
from tracked_kedro.dag.retries import RETRY_POLICY
from tracked_kedro.dag.run_kinds import is_the_schedules_own
from tracked_kedro.dag.shards import keys_per_task
from tracked_kedro.dag.shown import Docs, stages
from tracked_kedro.dag.task_session import (
    guarded,
    in_parent,
    kedro_parameters,
    parent_of,
    promotion_mode,
    run_key_of,
    session_of,
)
from tracked_kedro.errors import PermanentError
from tracked_kedro.kedro_side.plain_values import PLAIN
from tracked_kedro.kedro_side.sessions import Session
from tracked_kedro.parent_run import runs

__all__ = [
    "PLAIN",
    "RETRY_POLICY",
    "Docs",
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
    "stages",
]

log = logging.getLogger(__name__)


@task
def open_run(
    *, pipeline: str, parameters: dict[str, str], max_age_months: int | None = None, **context: Any
) -> str | None:
    """Open the parent MLflow run of this DAG run; its id is this task's XCom value (None: tracking is off)."""
    guarded(lambda: refuse_unknown_parameters(context))
    context["ti"].xcom_push(key=names.RUN_KEY, value=run_key_of(context))
    if names.CUTOFF in parameters:
        guarded(lambda: settle(pipeline, kedro_parameters(parameters, context), max_age_months, context))
    session = session_of(pipeline, parameters, context)
    return opened_parent(session, pipeline, context)


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
        ends_where_nothing_new: whether the tasks after this one are skipped where nobody asked for the DAG run and
            the champion has learnt all of it already.
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
        ends_where_nothing_new: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.pipeline = pipeline
        self.parameters = parameters
        self.nodes = nodes
        self.xcom = xcom
        self.approved_by = approved_by
        self.ends_where_nothing_new = ends_where_nothing_new

    def execute(self, context: Any) -> Any:
        """Airflow's call."""
        extra = {}
        if self.approved_by:
            extra[names.APPROVAL] = context["ti"].xcom_pull(task_ids=self.approved_by)
        session = session_of(self.pipeline, self.parameters, context, extra)

        may_end = self.ends_where_nothing_new and is_the_schedules_own(context)

        def run() -> tuple[Any, bool]:
            made = session.run(nodes=self.nodes)
            ends = may_end and nothing_new(session, self.pipeline, made) is not None
            return made[self.xcom].load() if self.xcom else None, ends

        if not self.approved_by:
            value, ends = in_parent(context, session, run)
            if ends:
                raise DownstreamTasksSkipped(tasks=after(self))
            return value
        run_id = guarded(lambda: parent_of(context))
        if run_id is not None:
            guarded(session.connect)
        asked = promotion_mode(context) == "approve"
        end_task(guarded(lambda: carried_out(of_session(run_id, session, self.nodes), asked)), context)
        return None


def approve(*, hours: float, **settings: Any) -> BaseOperator:
    """The task between `decide` and `promote` of a pipeline that promotes: see `tracked_kedro.dag.approval.approve`."""
    # A DAG that does not promote need not import Airflow's operator: 15 ms of each parsing.
    from tracked_kedro.dag import approval

    return approval.approve(hours=hours, **settings)


@task
def list_shards(*, pipeline: str, parameters: dict[str, str], keys: str, size: str, **context: Any) -> list[list[str]]:
    """Split the keys that the dataset `keys` lists into shards, of as many as the DAG parameter `size` says or suit."""
    session = session_of(pipeline, parameters, context)
    found = in_parent(context, session, lambda: session.load_dataset(keys))
    wanted = context["params"][size]
    per_task = keys_per_task(len(found), None if wanted is None else int(wanted), size)
    return [found[start : start + per_task] for start in range(0, len(found), per_task)]


@task
def run_shard(*, pipeline: str, parameters: dict[str, str], namespace: str, shard: list[str], **context: Any) -> None:
    """Run a Kedro namespace for one shard of keys inside the parent run."""
    # The template of the task's name is rendered from the context that Airflow holds, not from our copy.
    cast(Any, get_current_context())["shard_label"] = (
        ", ".join(shard) if len(shard) <= 5 else f"{shard[0]} … {shard[-1]} ({len(shard)})"
    )
    session = session_of(pipeline, parameters, context, {names.SHARD: list(shard)})
    in_parent(context, session, lambda: session.run(namespace=namespace))


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
    run_id = ti.xcom_pull(task_ids=names.OPEN_RUN_TASK) if failed else guarded(lambda: parent_of(context))
    if run_id is not None:
        # A DAG bears the name of its pipeline.
        guarded(Session(dag_run.dag_id).connect)
        asked = names.APPROVE_TASK in states
        not_promoted = ti.xcom_pull(task_ids=names.APPROVE_TASK, key=names.REASON) if asked else None
        guarded(lambda: runs.in_parent(None, lambda: runs.close_parent(run_id, failed, not_promoted)))
    log.info("parent_run_id=%s closed, failed tasks: %s", run_id, ", ".join(failed) or "none")
    if failed:
        raise PermanentError(f"Tasks failed: {', '.join(failed)}; see their logs")
