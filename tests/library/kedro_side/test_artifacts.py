"""Artifacts of datasets that are stored elsewhere than in the local file system."""

from __future__ import annotations

import re
from pathlib import Path

import fsspec
import mlflow
import polars as pl
import pytest
from kedro.io import DataCatalog
from kedro_mlflow.io.catalog.switch_catalog_logging import switch_catalog_logging
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.deployment import ROOT
from tracked_kedro.kedro_side.artifacts import MlflowArtifactDataset

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
TABLE = pl.DataFrame({"series": ["belem"], "rmse": [0.448]})


def file_at(place: str) -> MlflowArtifactDataset:
    stored = {"type": "polars.EagerPolarsDataset", "file_format": "parquet", "filepath": f"{place}/scores.parquet"}
    return MlflowArtifactDataset(stored, artifact_path="report")


def folder_at(place: str) -> MlflowArtifactDataset:
    stored = {"type": "partitions.PartitionedDataset", "path": f"{place}/graphs", "dataset": "text.TextDataset"}
    return MlflowArtifactDataset(stored)


@pytest.fixture(params=["memory", "local"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"memory:///{tmp_path.name}" if request.param == "memory" else str(tmp_path / "data")


def test_a_file_is_stored_logged_and_read_back(place: str, parent: Run):
    dataset = file_at(place)
    dataset.save(TABLE)
    assert dataset.load().equals(TABLE)
    assert dataset.exists()
    logged = mlflow.artifacts.download_artifacts(run_id=parent.info.run_id, artifact_path="report/scores.parquet")
    assert pl.read_parquet(logged).equals(TABLE)


def test_a_folder_is_logged_with_all_its_files(place: str, store: MlflowClient, parent: Run):
    folder_at(place).save({"one.svg": "<svg/>", "two.svg": "<svg></svg>"})
    files = store.list_artifacts(parent.info.run_id, "graphs")
    assert [file.path for file in files] == ["graphs/one.svg", "graphs/two.svg"]
    assert mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/graphs/two.svg") == "<svg></svg>"


def test_with_tracking_off_it_is_only_stored(place: str, store: MlflowClient, parent: Run):
    dataset = file_at(place)
    switch_catalog_logging(DataCatalog({"scores": dataset}), False)
    dataset.save(TABLE)
    assert store.list_artifacts(parent.info.run_id) == []
    assert dataset.load().equals(TABLE)


def test_without_a_run_it_is_only_stored_and_opens_none(place: str, store: MlflowClient):
    dataset = file_at(place)
    dataset.save(TABLE)
    assert dataset.load().equals(TABLE)
    assert mlflow.active_run() is None
    assert store.search_runs(["0"]) == []


def test_no_catalog_names_the_dataset_that_takes_local_files_only():
    project = ROOT / "kedro_project"
    catalogs = sorted([*(project / "conf").rglob("catalog*.yml"), *(project / "templates").rglob("catalog*")])
    assert catalogs
    named = [path.name for path in catalogs if re.search(r"kedro_mlflow\.io\.artifacts", path.read_text())]
    assert named == [], "use tracked_kedro.kedro_side.artifacts.MlflowArtifactDataset: data of runs may lie in S3"


@pytest.fixture(autouse=True)
def nothing_in_memory():
    yield
    fsspec.filesystem("memory").store.clear()
