"""`make reconcile` as a program: it asks Airflow's database, and the tracking server that the tasks use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.deployment import ROOT
from tests.fixtures.templates import Migrate
from tracked_kedro.names import AIRFLOW_TAG, AIRFLOW_VARIABLE, DAG_ID_TAG, DAG_RUN_ID_TAG

pytestmark = pytest.mark.slow


def reconcile(environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tracked_kedro", "reconcile"]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120)


def test_the_store_of_mlflow_yml_is_looked_at(store: MlflowClient, var: Path, migrate: Migrate, tmp_path: Path):
    project = tmp_path / "project"
    shutil.copytree(ROOT / "kedro_project" / "conf", project / "conf")
    shutil.copy(ROOT / "kedro_project" / "pyproject.toml", project)
    (project / "src").mkdir()
    (project / "conf" / "local").mkdir(exist_ok=True)
    shutil.copy(var / "mlflow" / "mlflow.db", project / "named.db")
    (project / "conf" / "local" / "mlflow.yml").write_text(
        json.dumps({"server": {"mlflow_tracking_uri": "sqlite:///named.db"}})
    )
    environment = {"KEDRO_PROJECT_PATH": str(project), f"AIRFLOW_VAR_{AIRFLOW_VARIABLE.upper()}": "this-one"}
    migrate(environment)

    named = MlflowClient(f"sqlite:///{project}/named.db")
    tags = {AIRFLOW_TAG: "this-one", DAG_ID_TAG: "rents", DAG_RUN_ID_TAG: "deleted"}
    runs = [client.create_run(client.create_experiment("rents"), tags=tags).info.run_id for client in (named, store)]
    done = reconcile(environment)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3, done.stdout
    first, last, figure = done.stdout.splitlines()
    assert f"({runs[0]}) is KILLED now: the DAG run was deleted" in first
    assert last == "1 MLflow run said RUNNING though the DAG run was over: ended now."
    assert figure == "parents_out_of_step=0"
    assert named.get_run(runs[0]).info.status == "KILLED"
    assert store.get_run(runs[1]).info.status == "RUNNING"


def test_a_server_that_does_not_answer_is_one_line(var: Path):
    environment = {
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        f"AIRFLOW_VAR_{AIRFLOW_VARIABLE.upper()}": "this-one",
    }
    done = reconcile(environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Is the tracking server or object store up?" in done.stderr.splitlines()[-1]
