"""Project hooks: parameters are checked first; kedro-mlflow then logs what this project wants it to log."""

from __future__ import annotations

import logging
from typing import Any

import click
import mlflow
from kedro.framework import project
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines, settings
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.config.resolvers import resolve_random_name
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from kedro_mlflow.io.catalog.switch_catalog_logging import switch_catalog_logging
from kedro_mlflow.pipeline.pipeline_ml import PipelineML
from mlflow.entities import RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH
from omegaconf import OmegaConf
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from tracked_kedro.compatibility import give_client, is_tracked
from tracked_kedro.kedro_side import discovery
from tracked_kedro.kedro_side.mlflow_config import MlflowConfig
from tracked_kedro.kedro_side.parameter_check import check_parameters
from tracked_kedro.kedro_side.project_config import config_loader
from tracked_kedro.kedro_side.redaction import without_secrets
from tracked_kedro.names import ERROR_TAGS, PIPELINE, SHARD

log = logging.getLogger(__name__)

# Longer messages add nothing, and stores refuse tags of more than 8,000 characters.
_TAG_LENGTH = 4000
# What MLflow raises when its store, or the database behind it, does not answer.
_STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError)


class TrackingUnavailableError(ConnectionError):
    """The tracking server or store cannot be used; nothing was run."""


def _is_asked_for() -> bool:
    """Whether the project that is running says `TRACKED_KEDRO = True` in its settings.py; others are left alone."""
    return bool(settings.get("TRACKED_KEDRO"))


class ParametersHook:
    """Refuses parameters that cannot be used before a tracking server or a file is touched."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check the raw values: Kedro's own property would turn some of them into models already."""
        if _is_asked_for():
            check_parameters(context.config_loader["parameters"], _pipelines_package(), read=_read_by_pipelines)


def _pipelines_package() -> str:
    return f"{project.PACKAGE_NAME}.pipelines"


def _read_by_pipelines() -> set[str]:
    """Top-level keys of the parameters that nodes take as input."""
    inputs = {name for pipeline in pipelines.values() for name in pipeline.inputs()}
    return {name.removeprefix("params:").split(".")[0] for name in inputs if name.startswith("params:")}


class TrackingHook(MlflowHook):
    """kedro-mlflow's hook, with eight differences that many tasks on one run, and many pipelines, need.

    * A pipeline that has a DAG logs to an experiment of its own: `mlflow.yml` is read with the runtime parameter
      ``pipeline``, which tasks give and which is added here for `kedro run`.
    * A run that was already open is left open: whoever opened it owns its name and its status.
    * A parameter that changed since the run began (a cleared task after a changed configuration) is noted in a
      tag, since MLflow parameters are write-once, and does not fail the task.
    * A node's parameters are logged together: one by one they were a third of a small DAG run's requests.
    * ``use_mlflow: false`` makes not one call.
    * The reason of a failure is kept in tags, without secrets, and a store that fails meanwhile does not hide it.
    * `mlflow.yml` may forbid to create an experiment, and name a database relative to the project.
    * The inference half of a ``PipelineML`` is not logged as a pickle.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Set MLflow up, unless tracking is off.

        Raises:
            TrackingUnavailableError: the server or store does not answer.
            MlflowConfigError: `mlflow.yml` asks for what cannot be.
        """
        self._asked_for = _is_asked_for()
        if not self._asked_for:
            return
        self._use_mlflow = bool(context.config_loader["parameters"].get("use_mlflow", True))
        if not self._use_mlflow:
            return
        self._context = context
        if not OmegaConf.has_resolver("km.random_name"):
            OmegaConf.register_new_resolver("km.random_name", resolve_random_name, use_cache=True)
        _name_experiment(context, _pipelines_of_command())
        self._set_up()

    def _set_up(self) -> None:
        """What kedro-mlflow's own hook does here, with our settings instead of its own."""
        config = MlflowConfig.read(self._context.config_loader["mlflow"])
        disabled = config.tracking.disable_tracking
        disabled.pipelines = [*(disabled.pipelines or []), *discovery.untracked(_pipelines_package())]
        run = mlflow.active_run()
        self._already_active_mlflow = run is not None
        if run is None:
            try:
                config.setup(self._context)
            except _STORE_ERRORS as error:
                first = (str(error).splitlines() or [type(error).__name__])[0]
                where = config.server.mlflow_tracking_uri or mlflow.get_tracking_uri()
                raise TrackingUnavailableError(
                    f"MLflow cannot be used at {without_secrets(where)} (MLFLOW_TRACKING_URI, or "
                    f"server.mlflow_tracking_uri in mlflow.yml): {without_secrets(first)}. "
                    "Start the server or correct the address; use_mlflow=false runs without tracking"
                ) from error
        else:
            # Whoever opened the run has chosen the server and the experiment.
            config.server.mlflow_tracking_uri = mlflow.get_tracking_uri()
            give_client(config.server, MlflowClient())
            config.tracking.run.id = run.info.run_id
        self._context.mlflow = config  # type: ignore[attr-defined]
        self.mlflow_config = config

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Open a run, or join the one that is open."""
        if not self._asked_for:
            self._is_mlflow_enabled = False
            return
        # Datasets that come from a pattern are made when they are asked for, and must know whether to log by then.
        for name in pipeline.datasets():
            if name in catalog:
                catalog.get(name)
        if not self._use_mlflow:
            self._is_mlflow_enabled = False
            switch_catalog_logging(catalog, False)
        elif self._already_active_mlflow:
            self._join_open_run(run_params, catalog)
        else:
            if _name_experiment(self._context, run_params.get("pipeline_names") or []):
                # A session of Python code: only now is it known which pipeline runs.
                self._set_up()
            super().before_pipeline_run(run_params=run_params, pipeline=pipeline, catalog=catalog)
        run = mlflow.active_run() if self._is_mlflow_enabled else None
        self._known_params = dict(MlflowClient().get_run(run.info.run_id).data.params) if run else {}

    def _join_open_run(self, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        names = run_params.get("pipeline_names") or ["__default__"]
        run = mlflow.active_run()
        self._is_mlflow_enabled = run is not None and is_tracked(names, self.mlflow_config)
        if run is None or not self._is_mlflow_enabled:
            switch_catalog_logging(catalog, False)
            return
        self.run_id = run.info.run_id
        params = self.mlflow_config.tracking.params
        self.flatten, self.recursive = params.dict_params.flatten, params.dict_params.recursive
        self.sep, self.long_params_strategy = params.dict_params.sep, params.long_params_strategy

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool) -> None:
        """Log the node's parameters, those that Kedro has made into models too, in one request."""
        if self._is_mlflow_enabled:
            self._new_params: dict[str, Any] = {}
            plain = {
                key: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
                for key, value in inputs.items()
                if key.startswith("params:")
            }
            super().before_node_run(node=node, catalog=catalog, inputs=plain, is_async=is_async)
            if self._new_params:
                mlflow.log_params(self._new_params)

    def _log_param(self, name: str, value: Any) -> None:
        """Collect a parameter for the node's batch, unless the run has it already.

        A changed value is noted in the tag `changed_parameter.<name>`.
        """
        known = self._known_params.get(name)
        written = str(value)[:MAX_PARAM_VAL_LENGTH] if self.long_params_strategy == "truncate" else str(value)
        if known == written:
            return
        if known is None and len(str(value)) <= MAX_PARAM_VAL_LENGTH:
            self._new_params[name] = value
        elif known is None:
            super()._log_param(name, value)
        else:
            log.warning("Parameter %s was %s when the run began and is %s now", name, known, written)
            mlflow.set_tag(f"changed_parameter.{name}", written[:_TAG_LENGTH])
        self._known_params[name] = written

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """End the run as FINISHED, unless it was already open: then a failure of the same nodes is mended."""
        if not self._asked_for:
            return
        if self._use_mlflow and self._already_active_mlflow:
            self._forget_failure(_whose(pipeline, run_params))
        if isinstance(pipeline, PipelineML):
            # Without its inference: kedro-mlflow would log that as a pickle (see `serving.hooks`).
            pipeline = pipeline.training
        if self._use_mlflow and not self._already_active_mlflow:
            super().after_pipeline_run(run_params=run_params, pipeline=pipeline, catalog=catalog)

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Keep the reason; end the run as FAILED, unless it was already open.

        Of a run that others fail in, too, the first failure is kept: those that come later are its consequences.
        """
        if not self._is_mlflow_enabled:
            return
        # Not kedro-mlflow's own: it raises UnboundLocalError where no run is active in this thread (its issue 645).
        reason = {"error_type": type(error).__name__, "error_message": without_secrets(str(error))[:_TAG_LENGTH]}
        failed = RunStatus.to_string(RunStatus.FAILED)
        reason["error_in"] = whose = _whose(pipeline, run_params)
        try:
            client = MlflowClient()
            if self._already_active_mlflow and client.get_run(self.run_id).data.tags.get("error_in", whose) != whose:
                return
            client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in reason.items()])
            if self._already_active_mlflow:
                return
            while mlflow.active_run():
                mlflow.end_run(failed)
            client.set_terminated(self.run_id, failed)
        except _STORE_ERRORS:
            log.warning("Run %s could not be told why it failed", self.run_id, exc_info=True)

    def _forget_failure(self, whose: str) -> None:
        # As the run was when this session resumed it: no request is needed where nothing had failed.
        run = mlflow.active_run()
        if run is None or run.data.tags.get("error_in") != whose:
            return
        try:
            for key in ERROR_TAGS:
                MlflowClient().delete_tag(run.info.run_id, key)
        except _STORE_ERRORS:
            log.warning("Run %s still names a failure that is mended", run.info.run_id, exc_info=True)


def _whose(pipeline: Pipeline, run_params: dict[str, Any]) -> str:
    """The nodes of a session, and its shard: the same for every try of one task, different for any two tasks."""
    nodes = ", ".join(sorted(node.name for node in pipeline.nodes))
    shard = (run_params.get("runtime_params") or {}).get(SHARD)
    return f"{nodes}{f' of {shard}' if shard else ''}"[:_TAG_LENGTH]


def _pipelines_of_command() -> list[str]:
    """Pipelines that `kedro run` was asked for; none outside that command."""
    command = click.get_current_context(silent=True)
    asked = command.params.get("pipelines") if command else None
    return asked.split(",") if isinstance(asked, str) else list(asked or [])


def _name_experiment(context: KedroContext, names: list[str]) -> bool:
    """Let `mlflow.yml` speak of the pipeline that the first of `names` is, or is a part of; whether that is another
    experiment than before.
    """
    loader = context.config_loader
    given = (loader.runtime_params or {}).get(PIPELINE)
    asked = [name.split(discovery.SEPARATOR)[0] for name in names if name != "__default__"]
    pipeline = next((name for name in asked if name in loader["airflow"] and name != "default"), None)
    pipeline = pipeline or given or discovery.default_pipeline(_pipelines_package())
    if pipeline is None:
        return False
    reader = loader
    if pipeline != given:
        reader = config_loader(
            context.project_path,
            {**(loader.runtime_params or {}), PIPELINE: pipeline},
            environment=loader.env,
            conf_source=str(loader.conf_source),
        )
    named = reader["mlflow"]
    experiment = named["tracking"]["experiment"]
    if note := (loader["airflow"].get(pipeline) or {}).get("description"):
        options = experiment.setdefault("create_experiment_kwargs", {})
        options["tags"] = {MLFLOW_RUN_NOTE: f"{note}. One parent run per retraining.", **(options.get("tags") or {})}
    changed = experiment["name"] != loader["mlflow"]["tracking"]["experiment"]["name"]
    loader["mlflow"] = named
    return bool(changed)


#: What the entry points of this package register (`kedro.hooks`).
PARAMETERS_HOOK = ParametersHook()
TRACKING_HOOK = TrackingHook()
