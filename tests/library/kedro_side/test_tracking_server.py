"""Which tracking server a process outside a Kedro session uses; each case in a process of its own, as MLflow asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROBE = """
import json, os, sys
from tracked_kedro.kedro_side import tracking_server

address = tracking_server.address()
tracking_server.connect()
tracking_server.connect()
imported = "mlflow" in sys.modules
import mlflow
print(json.dumps({
    "address": address,
    "imported": imported,
    "tracking": mlflow.get_tracking_uri(),
    "registry": mlflow.get_registry_uri(),
    "user": os.environ.get("MLFLOW_TRACKING_USERNAME"),
    "experiments": [one.name for one in mlflow.MlflowClient().search_experiments()]
    if mlflow.get_tracking_uri().startswith("sqlite") else None,
}))
"""
PYPROJECT = """
[tool.kedro]
package_name = "rents_project"
project_name = "Rents"
kedro_init_version = "1.7.0"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one's own that asks for nothing of these rails but `mlflow.yml`."""
    root = tmp_path / "rents"
    for folder in ("src/rents_project", "conf/base", "conf/local"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    package = root / "src" / "rents_project"
    (package / "__init__.py").touch()
    (package / "pipeline_registry.py").write_text("def register_pipelines():\n    return {}\n")
    (package / "settings.py").write_text(
        "from tracked_kedro.kedro_side.config_loader import ConfigLoader\n"
        "CONFIG_LOADER_CLASS = ConfigLoader\n"
        'CONFIG_LOADER_ARGS = {"base_env": "base", "default_run_env": "local"}\n'
    )
    return root


def asked(project: Path, tracking: str, **environment: str) -> dict[str, Any]:
    names = {"KEDRO_PROJECT_PATH": str(project), "MLFLOW_TRACKING_URI": tracking, **environment}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE],
        env={name: value for name, value in os.environ.items() if name != "KEDRO_ENV"} | names,
        cwd=project.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def configure(project: Path, server: dict[str, Any], environment: str = "base") -> None:
    (project / "conf" / environment).mkdir(exist_ok=True)
    # Written as JSON, which is YAML.
    (project / "conf" / environment / "mlflow.yml").write_text(json.dumps({"server": server}))


def test_the_server_of_mlflow_yml_wins_and_no_experiment_is_made(project: Path):
    configure(project, {"mlflow_tracking_uri": "sqlite:///here.db"})
    found = asked(project, "http://127.0.0.1:9")
    assert found["address"] == "sqlite:///here.db"
    assert found["tracking"] == found["registry"] == f"sqlite:///{project}/here.db"
    assert found["experiments"] == ["Default"]


def test_credentials_are_exported(project: Path):
    configure(project, {"mlflow_tracking_uri": "http://mlflow.example", "credentials": "tracking"})
    (project / "conf" / "local" / "credentials.yml").write_text("tracking:\n  MLFLOW_TRACKING_USERNAME: somebody\n")
    found = asked(project, "")
    assert found["address"] == found["tracking"] == "http://mlflow.example"
    assert found["user"] == "somebody"


def test_the_environment_of_kedro_is_heeded(project: Path):
    configure(project, {"mlflow_tracking_uri": "http://base.example"})
    configure(project, {"mlflow_tracking_uri": "http://prod.example"}, "prod")
    assert asked(project, "", KEDRO_ENV="prod")["tracking"] == "http://prod.example"


@pytest.mark.parametrize("case", ["names none", "no mlflow.yml", "no project"])
def test_otherwise_the_variable_decides_and_mlflow_is_not_imported(project: Path, case: str):
    if case == "names none":
        configure(project, {"mlflow_tracking_uri": None, "credentials": None})
    where = project.parent / "nowhere" if case == "no project" else project
    found = asked(where, "http://variable.example")
    assert found["address"] is None
    assert found["tracking"] == "http://variable.example"
    assert not found["imported"]


@pytest.mark.parametrize(
    ("tracking", "name"),
    [
        (None, "rents"),
        ({}, "rents"),
        ({"experiment": {"name": "lettings"}}, "lettings"),
        ({"experiment": {"name": "team/${runtime_params:pipeline,none}"}}, "team/rents"),
    ],
)
def test_the_experiment_of_a_pipeline_is_the_one_that_its_runs_go_to(project: Path, tracking: Any, name: str):
    if tracking is not None:
        (project / "conf" / "base" / "mlflow.yml").write_text(json.dumps({"tracking": tracking}))
    probe = "from tracked_kedro.kedro_side.tracking_server import *; print(experiment('rents'), address())"
    environment = {**os.environ, "KEDRO_PROJECT_PATH": str(project), "PYTHONPATH": str(project / "src")}
    done = subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, text=True)
    assert done.stdout == f"{name} None\n", done.stderr
