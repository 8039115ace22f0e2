"""Project hooks: parameters are checked first; kedro-mlflow then logs what this project wants it to log."""

from __future__ import annotations

import logging
from typing import Any

import mlflow
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from kedro_mlflow.framework.hooks.utils import _assert_mlflow_enabled
from kedro_mlflow.io.catalog.switch_catalog_logging import switch_catalog_logging
from mlflow.tracking import MlflowClient
from pydantic import BaseModel

from retraining.config import check_parameters

log = logging.getLogger(__name__)


class ParametersHook:
    """Refuses parameters that cannot be used before a tracking server or a file is touched."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        # The raw values: Kedro's own property would turn some of them into models already.
        check_parameters(context.config_loader["parameters"])


class TrackingHook(MlflowHook):
    """kedro-mlflow's hook, with three differences that many tasks on one run need.

    * A run that was already open is left as it is: whoever opened it owns its tags.
    * A parameter that changed since the run began (a cleared task after a changed configuration) is noted in a
      tag, since MLflow parameters are write-once, and does not fail the task.
    * ``use_mlflow: false`` makes not one call.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._use_mlflow = bool(context.config_loader["parameters"].get("use_mlflow", True))
        if self._use_mlflow:
            super().after_context_created(context)

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        if not self._use_mlflow:
            self._is_mlflow_enabled = False
            switch_catalog_logging(catalog, False)
        elif self._already_active_mlflow:
            self._join_open_run(run_params, catalog)
        else:
            super().before_pipeline_run(run_params=run_params, pipeline=pipeline, catalog=catalog)
        run = mlflow.active_run() if self._is_mlflow_enabled else None
        self._known_params = dict(MlflowClient().get_run(run.info.run_id).data.params) if run else {}

    def _join_open_run(self, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        names = run_params.get("pipeline_names") or ["__default__"]
        self._is_mlflow_enabled = _assert_mlflow_enabled(names, self.mlflow_config)
        if not self._is_mlflow_enabled:
            switch_catalog_logging(catalog, False)
            return
        self.run_id = mlflow.active_run().info.run_id
        params = self.mlflow_config.tracking.params
        self.flatten, self.recursive = params.dict_params.flatten, params.dict_params.recursive
        self.sep, self.long_params_strategy = params.dict_params.sep, params.long_params_strategy

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool) -> None:
        if self._is_mlflow_enabled:
            plain = {
                key: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
                for key, value in inputs.items()
                if key.startswith("params:")
            }
            super().before_node_run(node=node, catalog=catalog, inputs=plain, is_async=is_async)

    def _log_param(self, name: str, value: Any) -> None:
        """Log a parameter unless the run has it; note a changed value in the tag `changed_parameters`."""
        known = self._known_params.get(name)
        if known is None:
            super()._log_param(name, value)
            self._known_params[name] = str(value)
        elif known != str(value)[: len(known)]:
            log.warning("Parameter %s was %s when the run began and is %s now", name, known, value)
            mlflow.set_tag(f"changed_parameter.{name}", str(value))
            self._known_params[name] = str(value)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        if self._use_mlflow:
            super().after_pipeline_run(run_params=run_params, pipeline=pipeline, catalog=catalog)

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        if self._is_mlflow_enabled:
            # kedro-mlflow marks the run FAILED; the reason is ours to add while it is still active.
            if mlflow.active_run():
                mlflow.set_tags({"error_type": type(error).__name__, "error_message": str(error)[:4000]})
            super().on_pipeline_error(error=error, run_params=run_params, pipeline=pipeline, catalog=catalog)
