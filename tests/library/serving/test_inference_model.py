"""A `PipelineML` is logged as code: the project and library as they were, and the files that its inference reads."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from kedro.framework import project
from kedro.io import DataCatalog

from tests.library.serving.conftest import forget, write
from tracked_kedro.serving.inference_model import log_inference_model

PIPELINE = '''"""Prices by a rate."""

from kedro.pipeline import Pipeline, node, pipeline
from kedro_mlflow.pipeline import pipeline_ml_factory

from .rates import RATE


def train(areas):
    """Learn the base."""
    return {"base": float(areas["price"].mean())}


def predict(base, areas, options):
    """By area."""
    return areas.assign(price=base["base"] + RATE * areas["area"] * options["factor"])


def create_pipeline():
    """Training with its inference."""
    training = pipeline([node(train, "flats", "base", name="train")])
    inference = pipeline([node(predict, ["base", "areas", "params:options"], "prices", name="predict")])
    return pipeline_ml_factory(training, inference, input_name="areas", log_model_kwargs={"signature": None})
'''
FOUND = '''from tracked_kedro.kedro_side.discovery import pipelines_of


def register_pipelines():
    """Found by this library."""
    return pipelines_of("made_up.pipelines")
'''
STARTER = '''from kedro.framework.project import find_pipelines


def register_pipelines():
    """Found by Kedro."""
    return find_pipelines(raise_errors=True)
'''

pytestmark = pytest.mark.filterwarnings("ignore:.*[Tt]ype hints? :UserWarning")


@pytest.mark.parametrize("registry", [FOUND, STARTER], ids=["found by this library", "found by Kedro"])
def test_it_answers_with_the_code_it_brought_along(made_up: Path, parent, tmp_path: Path, registry: str) -> None:
    write(
        made_up,
        {
            "pipelines/prices/pipeline.py": PIPELINE,
            "pipelines/prices/unrelated.py": "",
            "pipeline_registry.py": registry,
        },
    )
    catalog = DataCatalog.from_config(
        {
            "base": {"type": "json.JSONDataset", "filepath": str(tmp_path / "base.json")},
            "params:options": {"type": "MemoryDataset", "data": {"factor": 2}},
        }
    )
    catalog.save("base", {"base": 500.0})
    from made_up.pipelines.prices.pipeline import create_pipeline

    log_inference_model("made_up", "prices", create_pipeline(), catalog)
    (logged,) = mlflow.search_logged_models(experiment_ids=[parent.info.experiment_id], output_format="list")

    write(made_up, {"pipelines/prices/rates.py": "RATE = 20\n"})
    forget()
    named = project.PACKAGE_NAME
    model = mlflow.pyfunc.load_model(f"models:/{logged.model_id}")
    assert model.predict(pd.DataFrame({"area": [7.0]}))["price"].tolist() == [640.0]
    assert project.PACKAGE_NAME is named
    assert not [name for name in sys.modules if name.partition(".")[0] == "made_up"]
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{logged.model_id}"))
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"logged_pipeline.py", "base.json", "options.json", "code.zip"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pickle"))]
    pinned = {line.partition("==")[0] for line in (folder / "requirements.txt").read_text().splitlines()}
    assert {"kedro", "kedro-datasets", "kedro-mlflow", "mlflow"} <= pinned
    assert "apache-airflow" not in pinned


def test_what_is_no_file_is_named(made_up: Path, parent) -> None:
    write(made_up, {"pipelines/prices/pipeline.py": PIPELINE})
    from made_up.pipelines.prices.pipeline import create_pipeline

    catalog = DataCatalog.from_config(
        {"base": {"type": "MemoryDataset"}, "params:options": {"type": "MemoryDataset", "data": {}}}
    )
    with pytest.raises(ValueError, match="base is no file"):
        log_inference_model("made_up", "prices", create_pipeline(), catalog)
