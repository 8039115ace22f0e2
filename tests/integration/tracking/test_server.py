"""Where runs go: server, credentials, experiment; by `kedro run` and by tasks."""

from __future__ import annotations

import os
from pathlib import Path

import mlflow
import pytest
import yaml

from tests.integration.tracking.probe import Project
from tracked_kedro.kedro_side.discovery import default_pipeline
from tracked_kedro.kedro_side.mlflow_config import MlflowConfigError

# MLflow about classes of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


def test_the_experiment_is_made_with_its_place_and_restored(project: Project, var: Path) -> None:
    project.kedro_run(to_nodes=["first"])
    experiment = project.client.get_experiment_by_name("probe")
    assert experiment is not None
    assert experiment.artifact_location == (var / "mlflow" / "artifacts" / "probe").as_uri()
    assert experiment.tags["mlflow.note.content"] == "A pipeline of three nodes. One parent run per retraining."
    project.client.delete_experiment(experiment.experiment_id)
    project.kedro_run(to_nodes=["first"])
    assert project.client.get_experiment(experiment.experiment_id).lifecycle_stage == "active"
    assert len(project.runs()) == 2


def test_credentials_are_exported_and_nowhere_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "")  # put back at the end
    secret = {"mlflow_login": {"MLFLOW_TRACKING_PASSWORD": "opensesame"}}
    (project.root / "conf" / "test" / "credentials.yml").write_text(yaml.safe_dump(secret))
    project.configure(server__credentials="mlflow_login")
    context = project.kedro_run()
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "opensesame"
    assert context.mlflow.server.credentials == "mlflow_login"
    assert "opensesame" not in context.mlflow.model_dump_json()
    (parent,) = project.parents()
    assert "opensesame" not in str(parent.to_dictionary())


@pytest.mark.parametrize("key", ["mlflow_tracking_uri", "mlflow_registry_uri"])
def test_a_relative_address_is_one_in_the_project(project: Project, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    # Put back at the end: kedro-mlflow sets both for the whole process.
    monkeypatch.setattr(mlflow.tracking._model_registry.utils, "_registry_uri", None)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "")
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    project.configure(**{f"server__{key}": "sqlite:///here.db"})
    context = project.kedro_run(to_nodes=["first"])
    assert getattr(context.mlflow.server, key) == f"sqlite:///{project.root}/here.db"
    assert (project.root / "here.db").is_file() == (key == "mlflow_tracking_uri")
    assert list(elsewhere.iterdir()) == []
    assert len(project.parents()) == (key == "mlflow_registry_uri")


def test_a_plain_path_is_one_in_the_project_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    project.configure(server__mlflow_tracking_uri="mlruns")
    context = project.kedro_run(to_nodes=["first"])
    assert context.mlflow.server.mlflow_tracking_uri == (project.root / "mlruns").as_uri()
    assert (project.root / "mlruns").is_dir()


def test_where_no_experiment_may_be_created_a_missing_one_is_an_error_before_anything_runs(project: Project) -> None:
    # Where a session of Python code belongs until it is told its pipeline.
    default = default_pipeline("retraining.pipelines") or "kedro"
    project.client.create_experiment(default)
    project.configure(tracking__experiment__create=False)
    with pytest.raises(MlflowConfigError) as raised:
        project.kedro_run()
    assert {one.name for one in project.client.search_experiments()} == {"Default", default}
    for words in ("The experiment 'probe' does not exist at sqlite:///", "mlflow.yml: tracking.experiment.create"):
        assert words in str(raised.value)
    assert "mlflow experiments create --experiment-name probe" in str(raised.value)
    project.client.create_experiment("probe")
    project.kedro_run()
    assert [parent.info.status for parent in project.parents()] == ["FINISHED"]


def test_an_unknown_key_of_mlflow_yml_is_named(project: Project) -> None:
    project.configure(tracking__experiment__craete=False)
    with pytest.raises(MlflowConfigError, match=r"mlflow\.yml: tracking\.experiment\.craete: Extra inputs"):
        project.kedro_run()
