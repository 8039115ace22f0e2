"""A model that is an inference pipeline of a project. MLflow runs this file when it loads the model.

Its configuration says which registered `PipelineML` it is, and how the model's files are read.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import mlflow
from kedro.framework import project
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class LoggedPipeline(PythonModel):
    """Answers with the inference half of a registered `PipelineML`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Tie the pipeline, of the code that the model brought along, to the model's files."""
        from tracked_kedro.serving.inference_pipeline import InferencePipeline

        package, before = context.model_config["project"], project.PACKAGE_NAME
        # Where Kedro's own `find_pipelines` looks, and for what: a session of this process may have asked for others.
        project.PACKAGE_NAME = package
        project.pipelines.set_requested(None)
        try:
            registered = import_module(f"{package}.pipeline_registry").register_pipelines()
        finally:
            project.PACKAGE_NAME = before
        made = registered[context.model_config["pipeline"]]
        self.answer = InferencePipeline(made, context.model_config["catalog"], context.artifacts)

    # Without a type hint of the input: MLflow would take it for the input's schema.
    def predict(self, context, model_input, params=None) -> Any:
        """What the last node of the inference pipeline returns for this input."""
        return self.answer(model_input)


mlflow.models.set_model(LoggedPipeline())
