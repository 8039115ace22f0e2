"""Writing a registered model as an MLflow pyfunc folder: code, the package it needs, and the files it reads.

The served model of a pipeline is the file `<pipeline>.py` beside this one. MLflow runs it when it loads the model, so
that no pickle is needed. It names the packages of `retraining` that it imports in `PACKAGES` ("." is all of it), the
distributions in `REQUIREMENTS`, the parameters of a prediction in `PARAMS` and its columns in `OUTPUTS`; the type hint
of `predict` says what it takes.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import logging
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import mlflow
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME

_ROOT = Path(__file__).resolve().parents[1]
PACKAGE_FILE = "retraining.zip"


def write_model(pipeline: str, files: Mapping[str, bytes], folder: Path) -> None:
    """Write the pyfunc model of a pipeline to the new folder.

    Raises:
        FileNotFoundError: the pipeline has no served model.
    """
    code = _code(pipeline)
    served = importlib.import_module(f"{__package__}.{pipeline}")
    parts = folder.parent / f"{folder.name}.parts"
    parts.mkdir(parents=True)
    write_package(parts / PACKAGE_FILE, served.PACKAGES)
    for name, content in files.items():
        (parts / name).write_bytes(content)
    with warnings.catch_warnings():
        # MLflow tells the author of the model how it might be written otherwise.
        warnings.simplefilter("ignore")
        logging.getLogger("mlflow.models.signature").setLevel(logging.WARNING)
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(code),
            artifacts={name: str(parts / name) for name in (PACKAGE_FILE, *files)},
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in served.REQUIREMENTS],
        )
    # Type hints do not speak of parameters, and an example that did would be predicted when the model is saved.
    declared = Model.load(folder)
    declared.signature.params, declared.signature.outputs = served.PARAMS, served.OUTPUTS
    declared.save(folder / MLMODEL_FILE_NAME)


def model_digest(pipeline: str, files: Mapping[str, bytes]) -> str:
    """Hash of all that makes the model: the same digest means the same answers."""
    served = importlib.import_module(f"{__package__}.{pipeline}")
    digest = hashlib.sha256(_code(pipeline).read_bytes())
    for source in _sources(served.PACKAGES):
        digest.update(source.read_bytes())
    for name in sorted(files):
        digest.update(name.encode() + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()[:16]


def write_package(archive: Path, packages: Sequence[str]) -> None:
    """Zip the parts of `retraining` that a served model imports; the rest would ask for Kedro and PyMC."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for source in _sources(packages):
            target.write(source, Path("retraining") / source.relative_to(_ROOT))


def _sources(packages: Sequence[str]) -> list[Path]:
    found = [_ROOT / "__init__.py", *(path for package in packages for path in sorted((_ROOT / package).rglob("*.py")))]
    return list(dict.fromkeys(found))


def _code(pipeline: str) -> Path:
    code = Path(__file__).with_name(f"{pipeline}.py")
    if not code.is_file():
        raise FileNotFoundError(f"{code} is missing: it says how the registered model of {pipeline} answers")
    return code
