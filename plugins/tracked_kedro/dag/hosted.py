"""What the generated DAG of a hosted project calls: tasks whose Kedro nodes run in a process of the project."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from airflow.sdk import task

from tracked_kedro import names
from tracked_kedro.dag import tasks
from tracked_kedro.dag.alerts import alerts, deadline
from tracked_kedro.dag.executors import executor, pod_override
from tracked_kedro.dag.opening import opened_parent, refuse_unknown_parameters
from tracked_kedro.dag.promoting import Steps, carried_out, end_task
from tracked_kedro.dag.retries import RETRY_POLICY
from tracked_kedro.dag.shown import Docs, stages
from tracked_kedro.dag.task_session import guarded, in_parent, parent_of, promotion_mode, run_key_of, session_of
from tracked_kedro.dag.tasks import approve, close_run
from tracked_kedro.errors import PermanentError
from tracked_kedro.hosting.facts import code_tags, environment_tags
from tracked_kedro.hosting.project import HostedProject
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.kedro_side.locations import run_folder
from tracked_kedro.kedro_side.plain_values import PLAIN, NotLiteralError, refuse_what_is_not_plain
from tracked_kedro.kedro_side.sessions import Session

__all__ = [
    "PLAIN",
    "RETRY_POLICY",
    "Docs",
    "RunNodes",
    "alerts",
    "approve",
    "close_run",
    "deadline",
    "decide",
    "executor",
    "open_run",
    "pod_override",
    "promote",
    "register",
    "stages",
]

log = logging.getLogger(__name__)

# MLflow's limit is 8,000.
_TAG_LENGTH = 5000


@task
def open_run(*, pipeline: str, parameters: dict[str, str], hosted: dict[str, Any], **context: Any) -> str | None:
    """Open the parent MLflow run of this DAG run; its id is this task's XCom value (None: tracking is off)."""
    guarded(lambda: refuse_unknown_parameters(context))
    project = HostedProject(pipeline, **hosted)
    guarded(lambda: _refuse_without_environment(project))
    context["ti"].xcom_push(key=names.RUN_KEY, value=run_key_of(context))

    def tags() -> dict[str, str]:
        given = json.dumps(_given(pipeline, parameters, context), sort_keys=True, default=str)
        return {**_tags(project), **({names.HOSTED_PARAMS_TAG: given} if len(given) <= _TAG_LENGTH else {})}

    return opened_parent(_deployment(pipeline, context), pipeline, context, tags)


class RunNodes(tasks.RunNodes):
    """Runs nodes of a hosted project inside the parent run, in a process of its own, and leaves the run open.

    Args:
        hosted: the project, see `hosting.project.HostedProject`.
        settings: as of `tasks.RunNodes`; the pipeline is the block, and the DAG.
    """

    def __init__(self, *, hosted: dict[str, Any], **settings: Any) -> None:
        super().__init__(**settings)
        self.hosted = hosted

    def execute(self, context: Any) -> Any:
        """Airflow's call."""
        # Not earlier: a DAG file is parsed without it.
        from tracked_kedro.hosting.child import Child

        run_id = guarded(lambda: parent_of(context))
        given = _given(self.pipeline, self.parameters, context)
        guarded(lambda: _refuse_expressions(given))
        self._child = Child(HostedProject(self.pipeline, **self.hosted), guarded(_tracking_address))
        return guarded(
            lambda: self._child.call(
                "run",
                nodes=tuple(self.nodes),
                xcom=self.xcom,
                data=run_folder(self.pipeline, run_key_of(context)),
                runtime_params=given,
                run_id=run_id,
            )
        )

    def on_kill(self) -> None:
        """Airflow's call where a person, or a time-out, ends the task."""
        if hasattr(self, "_child"):
            self._child.end()


@task
def register(*, pipeline: str, parameters: dict[str, str], hosted: dict[str, Any], **context: Any) -> dict[str, Any]:
    """Register the model of this run as a new version, alias `challenger`."""
    from tracked_kedro.guest.request import MODEL_FOLDER
    from tracked_kedro.promotion import stored_model

    project = HostedProject(pipeline, **hosted)
    stored = f"{run_folder(pipeline, run_key_of(context))}/{MODEL_FOLDER}"
    model = project.track["model"]["name"]

    def registered() -> dict[str, Any]:
        run = _active_run()
        if run is None:
            return {"model": model, "version": None, "reason": "tracking is off"}
        return stored_model.register(run, model, stored, _tags(project))

    return in_parent(context, _deployment(pipeline, context), registered)


@task
def decide(
    *, pipeline: str, parameters: dict[str, str], hosted: dict[str, Any], rules: list[dict[str, Any]], **context: Any
) -> dict[str, Any]:
    """Decide by the configured rules whether the challenger may become champion."""
    from tracked_kedro.promotion import stored_model

    challenger = context["ti"].xcom_pull(task_ids="register")
    if challenger["version"] is None:
        return {"promote": False, **challenger}
    promotion = _promotion(rules, context)
    return in_parent(context, _deployment(pipeline, context), lambda: stored_model.decide(challenger, promotion))


@task
def promote(
    *, pipeline: str, parameters: dict[str, str], hosted: dict[str, Any], rules: list[dict[str, Any]], **context: Any
) -> dict[str, Any]:
    """Make the challenger champion, if the rules allow it and the mode, or a person, does too."""
    from tracked_kedro.promotion import stored_model

    ti, promotion, deployment = context["ti"], _promotion(rules, context), _deployment(pipeline, context)
    approval = ti.xcom_pull(task_ids=names.APPROVE_TASK) or {}
    decisions = [ti.xcom_pull(task_ids=names.DECIDE_TASK)]
    orders: list[dict[str, Any]] = []

    def compare() -> dict[str, Any]:
        challenger = ti.xcom_pull(task_ids="register")
        decisions.append(in_parent(context, deployment, lambda: stored_model.decide(challenger, promotion)))
        return decisions[-1]

    def carry_out() -> None:
        orders.append(in_parent(context, deployment, lambda: stored_model.promote(decisions[-1], promotion, approval)))

    steps = Steps(carry_out, compare, lambda: names.DECIDE_TASK)
    end_task(guarded(lambda: carried_out(steps, promotion.mode == "approve")), context)
    return orders[-1]


def _given(pipeline: str, parameters: dict[str, str], context: Any) -> dict[str, Any]:
    """Kedro parameters of the project that this DAG run sets."""
    values = session_of(pipeline, parameters, context).runtime_params
    return {key: value for key, value in values.items() if key != names.RUN_KEY}


def _deployment(pipeline: str, context: Any) -> Session:
    """This deployment's own Kedro project, which says where the runs of a hosted one go to."""
    return Session(pipeline, {names.RUN_KEY: run_key_of(context)})


def _tags(project: HostedProject) -> dict[str, str]:
    return {**code_tags(project.folder), **environment_tags(project), names.KEDRO_COMMAND_TAG: project.command}


def _promotion(rules: list[dict[str, Any]], context: Any) -> Any:
    from tracked_kedro.promotion.rules import Promotion

    return Promotion.model_validate({"mode": promotion_mode(context) or "auto", "rules": rules})


def _active_run() -> Any:
    import mlflow

    return mlflow.active_run()


def _tracking_address() -> str:
    """Address of MLflow for the project's process, with its credentials in this one's environment."""
    if tracking_server.address() is None and (named := os.environ.get("MLFLOW_TRACKING_URI")):
        return named
    tracking_server.connect()
    import mlflow

    return mlflow.get_tracking_uri()


def _refuse_without_environment(project: HostedProject) -> None:
    from tracked_kedro.hosting.building import state

    if not project.folder.is_dir():
        raise PermanentError(f"{project.name}: there is no folder {project.project}, seen from the deployment's")
    if lacks := state(project):
        raise PermanentError(lacks)


def _refuse_expressions(values: Mapping[str, Any]) -> None:
    """What a person gives is taken as it is written: the project's own configuration would carry out an expression."""
    try:
        refuse_what_is_not_plain(values)
    except NotLiteralError as error:
        raise PermanentError(str(error)) from error
