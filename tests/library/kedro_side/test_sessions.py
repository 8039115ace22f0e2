"""Kedro sessions as tasks open them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kedro.framework import startup
from mlflow.tracking import MlflowClient

from tests.fixtures.rents import Rents
from tracked_kedro.kedro_side.config_loader import ConfigLoader
from tracked_kedro.kedro_side.sessions import Session, nested, project_path
from tracked_kedro.parent_run import runs

# MLflow about classes of its own.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*Any type hint is inferred:UserWarning", "ignore:The specified dataset source:UserWarning"
)


def test_dotted_names_become_the_tree_that_kedro_merges():
    flat = {"a.b.c": 1, "a.b.d": [2], "a.e": None, "use_mlflow": False}
    assert nested(flat) == {"a": {"b": {"c": 1, "d": [2]}, "e": None}, "use_mlflow": False}


def test_nothing_stays_nothing():
    assert nested({}) == {}


def test_the_project_is_found_beside_the_plugins_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("KEDRO_PROJECT_PATH", raising=False)
    assert (project_path() / "conf" / "base" / "airflow.yml").is_file()
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(tmp_path))
    assert project_path() == tmp_path


def test_runtime_parameters_reach_kedro_beside_the_configured_ones(rents: Rents):
    session = Session("rents", {"use_mlflow": False, **nested({"rents.sample.rows": 3})})
    sample = session.load_context().params["rents"]["sample"]
    assert (sample.rows, sample.seed) == (3, 1)


def test_a_task_bootstraps_the_project_once(rents: Rents, monkeypatch: pytest.MonkeyPatch):
    bootstrapped = []
    original = startup.bootstrap_project
    monkeypatch.setattr(startup, "bootstrap_project", lambda path: bootstrapped.append(path) or original(path))
    session = Session("rents", {"use_mlflow": False})
    session.connect()
    session.load_context()
    assert bootstrapped == [project_path()]


def test_a_task_reads_each_kind_of_configuration_once(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, rents: Rents
):
    """Besides what `connect` asks, which is before the session: the server, and globals for that."""
    parent = runs.open_parent(store.create_experiment("rents"), "rents", "manual__1", "rents 2019-10", {})
    session = Session("rents", {"run_key": "one"})
    read: list[str] = []
    original = ConfigLoader._read_raw_config
    monkeypatch.setattr(ConfigLoader, "_read_raw_config", lambda self, key: read.append(key) or original(self, key))
    session.connect()
    assert read == ["globals", "mlflow"]
    read.clear()
    runs.in_parent(parent, lambda: session.run(nodes=["read"]))
    assert sorted(read) == ["airflow", "catalog", "credentials", "globals", "mlflow", "parameters"]


def test_a_run_id_left_in_the_environment_is_not_joined(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, rents: Rents
):
    """MLflow would resume the run of MLFLOW_RUN_ID instead of the one that was asked for."""
    experiment = store.create_experiment("rents")
    stranger = store.create_run(experiment).info.run_id
    store.set_terminated(stranger)
    parent = runs.open_parent(experiment, "rents", "manual__1", "rents 2019-10", {})
    session = Session("rents", {"run_key": "one"})

    monkeypatch.setenv("MLFLOW_RUN_ID", stranger)
    runs.in_parent(parent, lambda: session.run(nodes=["read"]))
    assert "MLFLOW_RUN_ID" not in os.environ

    assert store.get_run(stranger).data.params == {}
    assert store.get_run(stranger).info.status == "FINISHED"
    assert store.get_run(parent).info.status == "RUNNING"
    assert "rents.sample.rows" in store.get_run(parent).data.params
    assert len(store.search_runs([experiment])) == 2
