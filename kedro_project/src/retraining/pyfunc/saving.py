"""Writing models as MLflow pyfunc folders: the code file, the posterior, and the package as one archive."""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from retraining.structural import Posterior

_CODE = Path(__file__).with_name("series_model.py")
_PACKAGE = Path(__file__).resolve().parents[1]
# What loading and forecasting import, and nothing else; versions are those of this environment.
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "scipy", "xarray", "h5netcdf", "pydantic")

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


def save_series_model(posterior: Posterior, path: Path) -> None:
    """Write the pyfunc model of one series to the folder `path`, which must not exist yet."""
    shutil.copytree(_template(), path)
    posterior.save(path / "artifacts" / "posterior.nc")


@cache
def _template() -> Path:
    """A saved model without its posterior, made once per process: all series' models differ in that file only."""
    folder = Path(tempfile.mkdtemp(prefix="series_model_"))
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
    return model


def _write_package(archive: Path) -> None:
    # Only what forecasting needs; the rest of the project would ask for Kedro and PyMC.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for source in [_PACKAGE / "__init__.py", *sorted((_PACKAGE / "structural").glob("*.py"))]:
            target.write(source, Path("retraining") / source.relative_to(_PACKAGE))
