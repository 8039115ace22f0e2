"""A tracking store of its own for each test, copied from one that is made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables; making them takes seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(empty_store: Path, var: Path) -> Iterator[MlflowClient]:
    """The store that the process's environment points to, with nothing in it."""
    import mlflow

    path = var / "mlflow" / "mlflow.db"
    shutil.copy(empty_store, path)
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    yield MlflowClient()
    mlflow.set_tracking_uri(None)
