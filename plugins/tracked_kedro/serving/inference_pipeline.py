"""A Kedro inference pipeline inside a served model, tied to its training by kedro-mlflow's `pipeline_ml_factory`.

kedro-mlflow itself logs such a model as a pickle of pipeline, catalog and parameters. Here the pipeline comes from
code, and what it reads from the model's files, each by the definition of its dataset: nothing has to be unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from kedro.io import DataCatalog
from kedro_mlflow.mlflow import KedroPipelineModel
from kedro_mlflow.pipeline.pipeline_ml import PipelineML
from mlflow.pyfunc.model import PythonModelContext


class InferencePipeline:
    """Answers with the inference half of a `PipelineML`, by kedro-mlflow's own model.

    Args:
        made: what `pipeline_ml_factory` has made.
        catalog: definition of each dataset that the inference reads, besides its input; `filepath` is the name of
            one of the model's files. Parameters (`params:…`) are such datasets too.
        files: path of each of the model's files, by name (MLflow's `context.artifacts`).

    Raises:
        ValueError: the inference reads a dataset that `catalog` lacks, or the reverse.
    """

    def __init__(self, made: PipelineML, catalog: Mapping[str, Mapping[str, Any]], files: Mapping[str, str]) -> None:
        needed = set(made.inference.inputs()) - {made.input_name}
        if needed != set(catalog):
            raise ValueError(f"The inference pipeline reads {sorted(needed)}, the catalog has {sorted(catalog)}")
        paths = {name: files[entry["filepath"]] for name, entry in catalog.items()}
        located = {name: {**entry, "filepath": paths[name]} for name, entry in catalog.items()}
        self._model = KedroPipelineModel(made, DataCatalog.from_config(located), made.input_name)
        self._context = PythonModelContext(artifacts=paths, model_config=None)
        self._model.load_context(self._context)

    def __call__(self, table: pd.DataFrame) -> Any:
        """Run the inference pipeline on a table; what its last node returns."""
        return self._model.predict(self._context, table)
