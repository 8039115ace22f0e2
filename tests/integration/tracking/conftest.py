"""The made-up project, and the two ways to run it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.tracking import MlflowClient

import retraining.pipelines
from tests.deployment import ROOT
from tests.integration.tracking.probe import AIRFLOW, Project, add_pipelines
from tracked_kedro.kedro_side.project_config import LOGGING


@pytest.fixture
def project(tmp_path: Path, var: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The copy, with everything of the process that a session changes put back at the end."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)  # Kedro wants one; the package itself is on the path
    shutil.copy(empty_database, var / "mlflow" / "mlflow.db")
    shutil.copy(ROOT / "kedro_project" / "pyproject.toml", root)
    shutil.copytree(ROOT / "kedro_project" / "conf", root / "conf")
    for environment in ("local", "test"):
        (root / "conf" / environment).mkdir(exist_ok=True)
    add_pipelines(root, tmp_path / "more")
    airflow = root / "conf" / "base" / "airflow.yml"
    airflow.write_text(airflow.read_text() + AIRFLOW)
    monkeypatch.setattr(retraining.pipelines, "__path__", [*retraining.pipelines.__path__, str(tmp_path / "more")])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(root))
    monkeypatch.setenv("KEDRO_LOGGING_CONFIG", str(LOGGING))
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    yield Project(root, MlflowClient(os.environ["MLFLOW_TRACKING_URI"]))
    while mlflow.active_run():
        mlflow.end_run()
    for name in ("probe", "shelf"):
        sys.modules.pop(f"retraining.pipelines.{name}", None)


@pytest.fixture(params=["kedro run", "tasks"])
def run(request: pytest.FixtureRequest, project: Project) -> Callable[..., Any]:
    """The whole pipeline, each way that it can be run."""
    return project.kedro_run if request.param == "kedro run" else project.tasks
