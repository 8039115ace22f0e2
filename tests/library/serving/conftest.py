"""A project with one served model, whose code a test may change."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVED = '''"""How the registered model of prices answers."""

from __future__ import annotations

import mlflow
from mlflow.types import ColSpec, DataType, ParamSchema, Schema

REQUIREMENTS = ("mlflow",)
PARAMS = ParamSchema([])
OUTPUTS = Schema([ColSpec(DataType.double)])


class PricesModel(mlflow.pyfunc.PythonModel):
    """The price of an area."""

    def load_context(self, context):
        """Read the base."""
        from made_up.pipelines.prices.pricing import Pricing

        self.pricing = Pricing(context.artifacts["base.txt"])

    def rows(self, record):
        """An area has one price."""
        return 1

    def predict(self, model_input: list[float], params=None) -> list[float]:
        """By area."""
        return [self.pricing.price(area) for area in model_input]


mlflow.models.set_model(PricesModel())
'''
FILES = {
    "__init__.py": "",
    "pipelines/__init__.py": "",
    # As Kedro's starters have it: it asks for Kedro, and for all of the pipeline.
    "pipelines/prices/__init__.py": "from .pipeline import create_pipeline\n",
    "pipelines/prices/pipeline.py": "import kedro.pipeline\ncreate_pipeline = kedro.pipeline.Pipeline\n",
    "pipelines/prices/pricing.py": '''"""Prices."""

from . import rates


class Pricing:
    """A base and a rate."""

    def __init__(self, path):
        with open(path) as file:
            self.base = float(file.read())

    def price(self, area):
        """Only now looks for its rounding: long after the model was loaded."""
        from made_up.pipelines.prices.rounding import rounded

        return rounded(self.base + rates.RATE * area)
''',
    "pipelines/prices/rates.py": "RATE = 10\n",
    "pipelines/prices/rounding.py": "def rounded(value):\n    return float(round(value))\n",
    "pipelines/prices/unrelated.py": "import a_library_that_nobody_has\n",
    "pipelines/prices/served_model.py": SERVED,
}


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files under a folder, by their path there."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def forget() -> None:
    """As in a new process: nothing of the project, or of a model's code, is imported."""
    for name in [name for name in sys.modules if name.partition(".")[0].startswith(("made_up", "served_prices_"))]:
        del sys.modules[name]


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project's package, importable while the test runs; what models bring along is unpacked beside it."""
    package = tmp_path / "src" / "made_up"
    write(package, FILES)
    monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    importlib.invalidate_caches()
    yield package
    forget()
