"""Writing a model as an MLflow pyfunc folder: the code that answers, what that imports, and the files it reads.

The module `served_model` of a pipeline says how its registered model answers. MLflow runs a copy of that file when it
loads the model, so that no pickle is needed. The file names the distributions that it needs in `REQUIREMENTS`, the
parameters of a prediction in `PARAMS` and its columns in `OUTPUTS`; the type hint of `predict` says what it takes. What
it imports of its project, or of this library, comes along (see `archive`).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import logging
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import mlflow
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME

from tracked_kedro.serving.archive import CODE_FILE, Code, pack


def write_model(package: str, files: Mapping[str, bytes], folder: Path) -> None:
    """Write the registered model of a pipeline to the new folder.

    Args:
        package: of the pipeline, `my_project.pipelines.rents`.
        files: what the served model reads, by name: `context.artifacts` has their paths.
        folder: where the model is written to.

    Raises:
        FileNotFoundError: the pipeline has no served model.
    """
    code = packed_model(package)
    served = importlib.import_module(f"{package}.served_model")
    with warnings.catch_warnings():
        # MLflow tells the author of the model how it might be written otherwise.
        warnings.simplefilter("ignore")
        logging.getLogger("mlflow.models.signature").setLevel(logging.WARNING)
        save_pyfunc(code, f"{package.rpartition('.')[2]}.py", files, folder, served.REQUIREMENTS)
    # Type hints do not speak of parameters, and an example that did would be predicted when the model is saved.
    declared = Model.load(folder)
    declared.signature.params, declared.signature.outputs = served.PARAMS, served.OUTPUTS
    declared.save(folder / MLMODEL_FILE_NAME)


def model_digest(package: str, files: Mapping[str, bytes]) -> str:
    """Hash of all that makes the model: the same digest means the same answers."""
    code = packed_model(package)
    digest = hashlib.sha256(f"{code.name}\n{code.text}".encode())
    for name in sorted(files):
        digest.update(name.encode() + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()[:16]


def packed_model(package: str) -> Code:
    """A pipeline's served model with what it imports.

    Raises:
        FileNotFoundError: the pipeline has none.
    """
    return pack(f"{package}.served_model", package.rpartition(".")[2], package.partition(".")[0])


def save_pyfunc(
    code: Code, name: str, files: Mapping[str, bytes], folder: Path, requirements: Iterable[str], **options: Any
) -> None:
    """Write a pyfunc folder.

    Args:
        code: that answers.
        name: of the file that MLflow runs.
        files: by name, what that file finds in `context.artifacts`.
        folder: a new one.
        requirements: distributions, in the versions of this environment.
        options: of `mlflow.pyfunc.save_model`.
    """
    pinned = [f"{one}=={importlib.metadata.version(one)}" for one in requirements]
    with tempfile.TemporaryDirectory(prefix="model_parts_") as parts:
        python_model, artifacts = write_parts(code, name, files, Path(parts))
        mlflow.pyfunc.save_model(
            folder, python_model=python_model, artifacts=artifacts, pip_requirements=pinned, **options
        )


def write_parts(code: Code, name: str, files: Mapping[str, bytes], folder: Path) -> tuple[str, dict[str, str]]:
    """Write what MLflow copies; the file that it runs, and its artifacts by name."""
    # As they will lie in the model: MLflow runs the file when it saves it, too.
    kept = folder / "artifacts"
    kept.mkdir()
    (folder / name).write_text(code.text)
    contents = {**files, CODE_FILE: code.archive} if code.archive is not None else dict(files)
    for one, content in contents.items():
        (kept / one).write_bytes(content)
    return str(folder / name), {one: str(kept / one) for one in contents}
