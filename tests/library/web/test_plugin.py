"""What every Airflow command loads of this library, found in each of the ways that there are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.deployment import ROOT, deployment_environment
from tests.fixtures.rents import write_project
from tests.fixtures.templates import Migrate

HEAVY = ["mlflow", "kedro", "polars", "pandas", "plotly"]
LOADED = f"""
import json, sys
from airflow.plugins_manager import AirflowPlugin
before = set(sys.modules)
import tracked_kedro.web.plugin
print(json.dumps(sorted({{name.split(".")[0] for name in set(sys.modules) - before}} & set({HEAVY}))))
"""

# Airflow's services have one manager of plugins and listeners, its tasks another one.
REGISTERED = """
import json
import airflow.listeners.listener, airflow.plugins_manager
import airflow.sdk.listener, airflow.sdk.plugins_manager
import tracked_kedro

def registered(plugins_manager, listener):
    plugins, errors = plugins_manager._get_plugins()
    listeners = listener.get_listener_manager().pm.get_plugins()
    return {
        "plugins": [one.name for one in plugins if one.name == "tracked_kedro"],
        "listeners": sorted(one.__name__ for one in listeners if one.__name__.startswith("tracked_kedro")),
        "errors": errors,
    }

print(json.dumps({
    "services": registered(airflow.plugins_manager, airflow.listeners.listener),
    "tasks": registered(airflow.sdk.plugins_manager, airflow.sdk.listener),
    "apps": [one["name"] for one in airflow.plugins_manager.get_fastapi_plugins()[0]],
    "library": tracked_kedro.__file__,
}))
"""
ONCE = {
    "plugins": ["tracked_kedro"],
    "listeners": ["tracked_kedro.kedro_side.preload", "tracked_kedro.lost_tries", "tracked_kedro.parent_run.listener"],
    "errors": {},
}

# The API server's own application, asked by an administrator; the tracking store is a real one.
ASKED = """
import json, sys
from airflow.api_fastapi.app import create_app
from mlflow.tracking import MlflowClient
from starlette.testclient import TestClient
import tracked_kedro

client = MlflowClient()
experiment = client.create_experiment("rents", artifact_location=sys.argv[1])
ended = {"airflow.dag_id": "rents", "model_version": "rents/7"}
older = client.create_run(experiment, start_time=1, tags=ended).info.run_id
parent = client.create_run(experiment, tags={"airflow.dag_id": "rents"}).info.run_id
child = client.create_run(experiment, tags={"mlflow.parentRunId": parent, "series": "lisbon"}).info.run_id
with open("one.png", "wb") as file:
    file.write(b"PNG")
client.log_artifact(parent, "one.png", "figures")
# Only the older one has come to its end.
with open("report.html", "w") as file:
    file.write("A report")
client.log_artifact(older, "report.html", "report")

server = TestClient(create_app(apps="core"), base_url="http://localhost", follow_redirects=False)
token = server.post("/auth/token", json={"username": "admin", "password": "of this test"}).json()["access_token"]
login = {"Authorization": f"Bearer {token}"}
server.cookies.clear()

def get(path, headers=login):
    answer = server.get(path, headers=headers)
    return [answer.status_code, answer.headers.get("location") or answer.text]

print(json.dumps({
    "library": tracked_kedro.__file__,
    "names": [experiment, older, parent, child],
    "home": get("/to-mlflow/"),
    "run": get(f"/to-mlflow/run/{parent}"),
    "children": get(f"/to-mlflow/run/{parent}/children?series=lisbon"),
    "picture": get(f"/to-mlflow/picture/{parent}/figures/one.png"),
    "missing": get("/to-mlflow/run/0123"),
    "newest": get("/to-mlflow/dag/rents"),
    "newest report": get("/to-mlflow/dag/rents/report"),
    "newest version": get("/to-mlflow/dag/rents/version"),
    "no dag": get("/to-mlflow/dag/http:evil.example"),
    "nobody": get(f"/to-mlflow/picture/{parent}/figures/one.png", {}),
    "style": get("/to-mlflow/static/shell/shell.css"),
    "forecasts": get("/forecasts/static/page.css"),
}))
"""


def answer(probe: str, *arguments: str, options: tuple[str, ...] = (), **environment: str) -> Any:
    """What a program prints last, run by this Python with options and an environment of its own."""
    command = [sys.executable, "-W", "ignore", *options, "-c", probe, *arguments]
    cwd = environment.get("RETRAINING_VAR")
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=cwd, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A deployment of this test's own."""
    (tmp_path / "var" / "airflow").mkdir(parents=True)
    (tmp_path / "var" / "mlflow").mkdir()
    return {**deployment_environment(tmp_path / "var"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}


def test_the_plugin_loads_nothing_heavy():
    assert answer(LOADED) == []


def test_installed_and_found_in_the_plugins_folder_it_is_registered_once(environment: dict[str, str]):
    found = answer(REGISTERED, **environment)
    assert (found["services"], found["tasks"]) == (ONCE, ONCE)
    assert sorted(found["apps"]) == ["Forecasts", "MLflow"]


def test_installed_alone_it_is_registered_once(environment: dict[str, str], tmp_path: Path):
    found = answer(REGISTERED, **environment | {"AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path)})
    assert (found["services"], found["tasks"]) == (ONCE, ONCE)


def test_in_the_plugins_folder_alone_it_is_registered_once(environment: dict[str, str], tmp_path: Path):
    packages, folder = tmp_path / "packages", tmp_path / "plugins"
    packages.mkdir()
    # All that is installed but the library itself; without `site`, the links to source folders are not read.
    for one in Path(sysconfig.get_path("purelib")).iterdir():
        if "tracked_kedro" not in one.name:
            (packages / one.name).symlink_to(one)
    shutil.copytree(ROOT / "plugins", folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    here = {"AIRFLOW__CORE__PLUGINS_FOLDER": str(folder), "PYTHONPATH": str(packages)}
    probe = REGISTERED.replace("import tracked_kedro", "import airflow.settings, tracked_kedro")
    found = answer(probe, options=("-S",), **environment | here)
    assert (found["services"], found["tasks"]) == (ONCE, ONCE)
    assert Path(found["library"]).is_relative_to(folder)


@pytest.mark.slow
def test_without_the_forecasts_page_links_and_pictures_work(
    environment: dict[str, str], migrate: Migrate, tmp_path: Path
):
    library = tmp_path / "copy" / "tracked_kedro"
    shutil.copytree(ROOT / "plugins" / "tracked_kedro", library, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(library / "web" / "forecasts")
    plugin = library / "web" / "plugin.py"
    lines = plugin.read_text().splitlines(keepends=True)
    left = [line for line in lines if "forecasts" not in line.casefold()]
    assert len(left) == len(lines) - 1
    plugin.write_text("".join(left))

    passwords = tmp_path / "passwords.json"
    passwords.write_text(json.dumps({"admin": "of this test"}))
    here = {
        **environment,
        "KEDRO_PROJECT_PATH": str(write_project(tmp_path / "lettings")),
        "PYTHONPATH": str(library.parent),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "RETRAINING_MLFLOW_UI": "http://mlflow.example",
    }
    migrate(here)
    found = answer(ASKED, (tmp_path / "artifacts").as_uri(), **here)
    assert Path(found["library"]).is_relative_to(library)
    experiment, older, parent, child = found["names"]
    runs = f"http://mlflow.example/#/experiments/{experiment}/runs"
    assert found["home"] == [303, "http://mlflow.example/#/experiments?workflowType=machine_learning"]
    assert found["run"] == [303, f"{runs}/{parent}?workflowType=machine_learning"]
    assert found["children"] == [303, f"{runs}/{child}?workflowType=machine_learning"]
    assert found["picture"] == [200, "PNG"]
    assert found["newest"] == found["run"]
    assert found["newest report"] == [303, f"{runs}/{older}/artifacts/report/report.html?workflowType=machine_learning"]
    assert found["newest version"] == [303, "http://mlflow.example/#/models/rents/versions/7"]
    assert found["no dag"][0] == 404
    assert found["missing"][0] == 404
    assert "The tracking server has no run 0123." in found["missing"][1]
    assert "overview" not in found["missing"][1]
    assert found["nobody"][0] == 401
    assert ".message" in found["style"][1]
    assert ".message" not in found["forecasts"][1]
    assert answer(REGISTERED, **here)["apps"] == ["MLflow"]
