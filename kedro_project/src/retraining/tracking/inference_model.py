"""The inference half of a `PipelineML`, logged as code where kedro-mlflow's own hook would pickle it."""

from __future__ import annotations

import importlib.metadata
import json
import re
import tempfile
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import mlflow
from kedro.io import DataCatalog
from kedro_mlflow.pipeline.pipeline_ml import PipelineML
from pydantic import BaseModel

from retraining.locations import PROJECT
from retraining.pyfunc.packaging import PACKAGE_FILE, write_package

_CODE = Path(__file__).resolve().parents[1] / "pyfunc" / "logged_pipeline.py"


def log_inference_model(name: str, made: PipelineML, catalog: DataCatalog) -> None:
    """Log the model to the active run: the registered pipeline's name, and the files that its inference reads.

    Args:
        name: under which the pipeline is registered.
        made: by `pipeline_ml_factory`; its `log_model_kwargs` are MLflow's.
        catalog: of the run, all of its datasets written.

    Raises:
        ValueError: the inference reads a dataset that is no file.
    """
    options = dict(made.log_model_kwargs)
    if options.get("signature") == "auto":
        options["signature"] = mlflow.models.infer_signature(catalog.load(made.input_name))
    with tempfile.TemporaryDirectory() as folder:
        entries = {
            dataset: _entry(dataset, catalog, Path(folder))
            for dataset in sorted(made.inference.inputs() - {made.input_name})
        }
        write_package(Path(folder) / PACKAGE_FILE, (".",))
        mlflow.pyfunc.log_model(
            python_model=str(_CODE),
            model_config={"pipeline": name, "catalog": entries},
            artifacts={path.name: str(path) for path in Path(folder).iterdir()},
            pip_requirements=_requirements(),
            **options,
        )


def _entry(dataset: str, catalog: DataCatalog, folder: Path) -> dict[str, Any]:
    """Copy what a dataset holds to the folder; its definition, with the copy's name as `filepath`."""
    if dataset.startswith("params:"):
        value = catalog.load(dataset)
        file = folder / f"{dataset.removeprefix('params:')}.json"
        file.write_text(json.dumps(value.model_dump(mode="json") if isinstance(value, BaseModel) else value))
        return {"type": "json.JSONDataset", "filepath": file.name}
    defined = DataCatalog({dataset: catalog[dataset]}).to_config()[0].get(dataset, {})
    # A dataset that also keeps an artifact is defined around the one that stores the data.
    defined = {key: value for key, value in defined.get("dataset", defined).items() if value is not None}
    if "filepath" not in defined:
        raise ValueError(f"{dataset} is no file, and the model of an inference pipeline is made of files; store it")
    filesystem, path = fsspec.core.url_to_fs(defined["filepath"])
    file = folder / f"{dataset}{PurePosixPath(path).suffix}"
    filesystem.get(path, str(file))
    return {**defined, "filepath": file.name}


def _requirements() -> list[str]:
    # Loading the model registers every pipeline of the project, which imports what the project depends on.
    declared = tomllib.loads((PROJECT.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0] for one in declared]
    installed = {found.name.lower(): found.version for found in importlib.metadata.distributions()}
    # What is not installed here is not imported either.
    return [f"{name}=={installed[name.lower()]}" for name in names if name.lower() in installed]
