"""How a hosted project's model of scikit-learn answers. MLflow runs this file when it loads the model."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class SkopsModel(PythonModel):
    """A model that skops has stored: of its file only classes are loaded that `trusted.json` lists."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model."""
        import skops.io

        trusted = json.loads(Path(context.artifacts["trusted.json"]).read_text())
        self.model = skops.io.load(context.artifacts["model.skops"], trusted=trusted)

    def predict(self, context, model_input, params=None):
        """What the model predicts."""
        return self.model.predict(model_input)


mlflow.models.set_model(SkopsModel())
