"""The served model of one series, as an MLflow pyfunc folder: code, the posterior, and what the code imports."""

from __future__ import annotations

import tempfile
import warnings
from functools import cache
from pathlib import Path

import yaml
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from tracked_kedro.serving.archive import pack
from tracked_kedro.serving.packaging import save_pyfunc

_PROJECT, _, _PIPELINE = __name__.split(".")[:3]
_MODULE = f"{__package__}.series_model"
_POSTERIOR = "posterior.nc"
# What loading and forecasting import, and nothing else; versions are those of this environment.
_REQUIREMENTS = ("mlflow", "numpy", "numba", "pandas", "scipy", "h5py", "pydantic")

SIGNATURE = ModelSignature(
    # What pandas makes of whole numbers; MLflow takes narrower ones for it, but none for a narrower one.
    inputs=Schema([ColSpec(DataType.long, "n_ahead", required=False)]),
    params=ParamSchema(
        [
            ParamSpec("output", DataType.string, "quantiles"),
            ParamSpec("quantiles", DataType.double, [0.1, 0.5, 0.9], shape=(-1,)),
            ParamSpec("draws", DataType.long, 100),
            ParamSpec("seed", DataType.long, 0),
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
    (path / "artifacts" / _POSTERIOR).write_bytes(posterior)


@cache
def _template() -> dict[str, bytes]:
    """Files of a saved model but its posterior, made once per process: all series' models differ in that file only.

    Kept in memory, because an Airflow task ends without the clean-up that would remove a temporary folder.
    """
    code = pack(_MODULE, _PIPELINE, _PROJECT)
    with tempfile.TemporaryDirectory(prefix="series_model_") as name, warnings.catch_warnings():
        # The signature is declared, so that no example is needed; one would cost two files a model.
        warnings.filterwarnings("ignore", ".*An input example was not provided")
        model = Path(name) / "model"
        save_pyfunc(code, "series_model.py", {_POSTERIOR: b""}, model, _REQUIREMENTS, signature=SIGNATURE)
        declared = model / "MLmodel"
        facts = yaml.safe_load(declared.read_text())
        # Every copy would claim to be the same model; the id is optional.
        facts.pop("model_uuid", None)
        # A request less a series: python_env.yaml and requirements.txt say the same for virtualenv and uv.
        facts["flavors"]["python_function"]["env"].pop("conda")
        (model / "conda.yaml").unlink()
        declared.write_text(yaml.safe_dump(facts))
        files = [path for path in sorted(model.rglob("*")) if path.is_file() and path.name != _POSTERIOR]
        return {path.relative_to(model).as_posix(): path.read_bytes() for path in files}
