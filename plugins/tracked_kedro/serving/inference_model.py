"""The inference half of a `PipelineML`, logged as code where kedro-mlflow's own hook would pickle it."""

from __future__ import annotations

import importlib.metadata
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import mlflow
from kedro.io import DataCatalog
from kedro_mlflow.pipeline.pipeline_ml import PipelineML
from pydantic import BaseModel

from tracked_kedro.serving.archive import LIBRARY, Code, pack
from tracked_kedro.serving.modules import modules_under, third_parties
from tracked_kedro.serving.packaging import write_parts

_MODULE = "tracked_kedro.serving.logged_pipeline"
# What an inference pipeline is run with, and what the names of dataset types are looked up in.
_ALWAYS = ("kedro", "kedro-datasets", "kedro-mlflow", "mlflow")


def log_inference_model(project: str, name: str, made: PipelineML, catalog: DataCatalog) -> None:
    """Log the model to the active run: the registered pipeline's name, and the files that its inference reads.

    Args:
        project: the project's package.
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
        files = Path(folder) / "files"
        files.mkdir()
        entries = {
            dataset: _entry(dataset, catalog, files) for dataset in sorted(made.inference.inputs() - {made.input_name})
        }
        # The registry makes every pipeline of the project.
        code = pack(_MODULE, name, project, [*modules_under(project), *_dotted(entries)])
        python_model, artifacts = write_parts(
            code, "logged_pipeline.py", {file.name: file.read_bytes() for file in files.iterdir()}, Path(folder)
        )
        mlflow.pyfunc.log_model(
            python_model=python_model,
            model_config={"project": f"{code.name}.{project}", "pipeline": name, "catalog": _renamed(entries, code)},
            artifacts=artifacts,
            pip_requirements=_requirements(code),
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


def _dotted(entries: Any) -> Iterator[str]:
    """Modules of the classes that definitions of datasets name."""
    if isinstance(entries, Mapping):
        for value in entries.values():
            yield from _dotted(value)
    elif isinstance(entries, str) and entries.partition(".")[0] == LIBRARY:
        yield entries.rpartition(".")[0]


def _renamed(entries: Any, code: Code) -> Any:
    if isinstance(entries, Mapping):
        return {key: _renamed(value, code) for key, value in entries.items()}
    return code.of(entries) if isinstance(entries, str) else entries


def _requirements(code: Code) -> list[str]:
    """What the code imports, as far as it is installed here, in the versions of this environment."""
    owners = importlib.metadata.packages_distributions()
    own = {one.partition(".")[0] for one in code.sources}
    found = {name for top in third_parties(code.sources.values()) - own for name in owners.get(top, ())}
    return [f"{name}=={importlib.metadata.version(name)}" for name in sorted(found | set(_ALWAYS))]
