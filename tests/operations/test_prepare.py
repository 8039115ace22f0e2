"""The embedded store has no stray experiment."""

from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from operations.native.prepare import prepare_tracking


@pytest.fixture(autouse=True)
def own_store(var: Path):
    mlflow.set_tracking_uri(f"sqlite:///{var}/mlflow/mlflow.db")
    yield
    mlflow.set_tracking_uri(None)


def test_unused_default_experiment_is_gone_and_stays_away() -> None:
    prepare_tracking()
    prepare_tracking()
    assert [e.name for e in MlflowClient().search_experiments()] == []


def test_used_default_experiment_stays() -> None:
    MlflowClient().create_run("0")
    prepare_tracking()
    assert [e.name for e in MlflowClient().search_experiments()] == ["Default"]


def test_tracking_server_is_left_alone() -> None:
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    prepare_tracking()
