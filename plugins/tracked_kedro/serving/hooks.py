"""Kedro hook: the inference half of a `PipelineML` is logged as code, where kedro-mlflow would pickle it."""

from __future__ import annotations

from typing import Any

import mlflow
from kedro.framework import project
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro_mlflow.pipeline.pipeline_ml import PipelineML

from tracked_kedro.kedro_side.running_project import is_asked_for
from tracked_kedro.serving.inference_model import log_inference_model


class InferenceHook:
    """Logs the model to the run that is open, before the tracking hook ends it."""

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Log the inference pipeline with the files that it reads."""
        # Where tracking is off no run is open.
        if is_asked_for() and isinstance(pipeline, PipelineML) and mlflow.active_run() is not None:
            (name,) = run_params["pipeline_names"]
            log_inference_model(str(project.PACKAGE_NAME), name, pipeline, catalog)


#: What the entry point of this package registers (`kedro.hooks`).
INFERENCE_HOOK = InferenceHook()
