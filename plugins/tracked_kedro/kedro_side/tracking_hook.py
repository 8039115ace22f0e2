"""Kedro hook: kedro-mlflow logs what this library wants it to log."""

from __future__ import annotations

import logging
from typing import Any

import mlflow
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.config.resolvers import resolve_random_name
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from kedro_mlflow.io.catalog.switch_catalog_logging import switch_catalog_logging
from kedro_mlflow.pipeline.pipeline_ml import PipelineML
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH
from omegaconf import OmegaConf
from pydantic import BaseModel

from tracked_kedro.compatibility import give_client, is_tracked
from tracked_kedro.kedro_side import discovery
from tracked_kedro.kedro_side.experiments import name_experiment, pipelines_of_command
from tracked_kedro.kedro_side.failures import STORE_ERRORS, TAG_LENGTH, forget_failure, keep_failure, nodes_of_session
from tracked_kedro.kedro_side.mlflow_config import MlflowConfig
from tracked_kedro.kedro_side.redaction import without_secrets
from tracked_kedro.kedro_side.running_project import is_asked_for, pipelines_package

log = logging.getLogger(__name__)


class TrackingUnavailableError(ConnectionError):
    """The tracking server or store cannot be used; nothing was run."""


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
        self._asked_for = is_asked_for()
        if not self._asked_for:
            return
        self._use_mlflow = bool(context.config_loader["parameters"].get("use_mlflow", True))
        if not self._use_mlflow:
            return
        self._context = context
        if not OmegaConf.has_resolver("km.random_name"):
            OmegaConf.register_new_resolver("km.random_name", resolve_random_name, use_cache=True)
        name_experiment(context, pipelines_of_command())
        self._set_up()

    def _set_up(self) -> None:
        """What kedro-mlflow's own hook does here, with our settings instead of its own."""
        config = MlflowConfig.read(self._context.config_loader["mlflow"])
        disabled = config.tracking.disable_tracking
        disabled.pipelines = [*(disabled.pipelines or []), *discovery.untracked(pipelines_package())]
        run = mlflow.active_run()
        self._already_active_mlflow = run is not None
        if run is None:
            try:
                config.setup(self._context)
            except STORE_ERRORS as error:
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
            if name_experiment(self._context, run_params.get("pipeline_names") or []):
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
            mlflow.set_tag(f"changed_parameter.{name}", written[:TAG_LENGTH])
        self._known_params[name] = written

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """End the run as FINISHED, unless it was already open: then a failure of the same nodes is mended."""
        if not self._asked_for:
            return
        if self._use_mlflow and self._already_active_mlflow:
            forget_failure(nodes_of_session(pipeline, run_params))
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
        keep_failure(error, self.run_id, nodes_of_session(pipeline, run_params), ends=not self._already_active_mlflow)
