"""How a hosted project's model answers that can be stored as a pickle only. MLflow runs this file when it loads it.

Its block of airflow.yml says `allow_pickle: true`. Whoever serves it has checked the signature of all files before.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import mlflow
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class PickledModel(PythonModel):
    """Any object with a method `predict`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model."""
        self.model = pickle.loads(Path(context.artifacts["model.pkl"]).read_bytes())  # noqa: S301 - see above

    def predict(self, context: PythonModelContext, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """What the model predicts."""
        return self.model.predict(model_input)


mlflow.models.set_model(PickledModel())
