"""Writing models as MLflow pyfunc folders: the code file, the posterior, and the package as one archive."""

from __future__ import annotations

import importlib.metadata
import tempfile
import warnings
import zipfile
from functools import cache
from pathlib import Path

import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

_CODE = Path(__file__).with_name("series_model.py")
_PACKAGE = Path(__file__).resolve().parents[1]
# What loading and forecasting import, and nothing else; versions are those of this environment.
_REQUIREMENTS = ("mlflow", "numpy", "numba", "pandas", "scipy", "h5py", "pydantic")

SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.integer, "n_ahead")]),
    params=ParamSchema(
        [
            ParamSpec("output", DataType.string, "quantiles"),
            ParamSpec("quantiles", DataType.double, [0.1, 0.5, 0.9], shape=(-1,)),
            ParamSpec("draws", DataType.integer, 100),
            ParamSpec("seed", DataType.integer, 0),
        ]
    ),
)


def save_series_model(posterior: bytes, path: Path) -> None:
    """Write the pyfunc model of one series, given its posterior's file, to the new folder `path`."""
    path.mkdir(parents=True)
    for name, content in _template().items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (path / "artifacts" / "posterior.nc").write_bytes(posterior)


@cache
def _template() -> dict[str, bytes]:
    """Files of a saved model but its posterior, made once per process: all series' models differ in that file only.

    Kept in memory, because an Airflow task ends without the clean-up that would remove a temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="series_model_") as name, warnings.catch_warnings():
        # The signature is declared, so that no example is needed; one would cost two files a model.
        warnings.filterwarnings("ignore", ".*An input example was not provided")
        folder = Path(name)
        (folder / "posterior.nc").touch()
        _write_package(folder / "retraining.zip")
        model = folder / "model"
        mlflow.pyfunc.save_model(
            model,
            python_model=str(_CODE),
            artifacts={"posterior": str(folder / "posterior.nc"), "package": str(folder / "retraining.zip")},
            signature=SIGNATURE,
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in _REQUIREMENTS],
        )
        # Every copy would claim to be the same model; the id is optional.
        declared = model / "MLmodel"
        lines = declared.read_text().splitlines(keepends=True)
        declared.write_text("".join(line for line in lines if not line.startswith("model_uuid:")))
        files = [path for path in sorted(model.rglob("*")) if path.is_file() and path.name != "posterior.nc"]
        return {path.relative_to(model).as_posix(): path.read_bytes() for path in files}


def _write_package(archive: Path) -> None:
    # Only what forecasting needs; the rest of the project would ask for Kedro and PyMC.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for source in [_PACKAGE / "__init__.py", *sorted((_PACKAGE / "structural").glob("*.py"))]:
            target.write(source, Path("retraining") / source.relative_to(_PACKAGE))
