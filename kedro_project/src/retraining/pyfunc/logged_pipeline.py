"""A model that is an inference pipeline of this project. MLflow runs this file when it loads the model.

Its configuration says which registered `PipelineML` it is, and how the model's files are read.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import mlflow
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class LoggedPipeline(PythonModel):
    """Answers with the inference half of a registered `PipelineML`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Tie the pipeline to the model's files; the package comes along where the environment lacks it."""
        if importlib.util.find_spec("retraining") is None:
            sys.path.append(context.artifacts["retraining.zip"])
        from retraining.pipeline_registry import register_pipelines
        from retraining.pyfunc.inference_pipeline import InferencePipeline

        made = register_pipelines()[context.model_config["pipeline"]]
        self.answer = InferencePipeline(made, context.model_config["catalog"], context.artifacts)

    # Without a type hint of the input: MLflow would take it for the input's schema.
    def predict(self, context, model_input, params=None) -> Any:
        """What the last node of the inference pipeline returns for this input."""
        return self.answer(model_input)


mlflow.models.set_model(LoggedPipeline())
