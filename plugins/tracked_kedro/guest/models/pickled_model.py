"""How a hosted project's model answers that can be stored as a pickle only. MLflow runs this file when it loads it.

Its block of airflow.yml says `allow_pickle: true`. Whoever serves it has checked the signature of all files before.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import mlflow
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class PickledModel(PythonModel):
    """Any object with a method `predict`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model."""
        if os.environ.get("HOSTED_PROJECT_PROCESS") != "1":
            raise RuntimeError("this model is a pickle, which its project's own process loads alone: make serve")
        self.model = pickle.loads(Path(context.artifacts["model.pkl"]).read_bytes())  # noqa: S301 - see above

    def predict(self, context, model_input, params=None):
        """What the model predicts."""
        return self.model.predict(model_input)


mlflow.models.set_model(PickledModel())
