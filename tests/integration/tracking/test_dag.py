"""The made-up pipeline's rendered DAG in a real Airflow, each task in a process of its own.

The processes' own MLFLOW_TRACKING_URI names another store than the project's mlflow.yml, relative to it: what goes to
the right place has read the file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.deployment import ROOT, deployment_environment
from tests.fixtures.dags import copied, rendered
from tests.fixtures.real_airflow import Airflow
from tests.fixtures.templates import Migrate
from tests.integration.tracking.probe import AIRFLOW, FAILURE, add_pipelines, configure
from tracked_kedro.names import DAG_RUN_ID_TAG, REPLACED_TAG

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]
DAG = "probe"
WITHIN = 600  # seconds for a DAG run of five tasks on a busy machine


@dataclass(frozen=True)
class Deployment:
    """A copy of the project, an Airflow that runs its DAG, and the store that mlflow.yml names."""

    project: Path
    airflow: Airflow

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.project}/tracking.db")

    def run(self, run_id: str, **conf: Any) -> str:
        """Trigger a DAG run and wait; its state."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self.airflow.call("POST", f"dags/{DAG}/dagRuns", body)
        return self.ended(run_id)

    def ended(self, run_id: str) -> str:
        over = ("success", "failed")
        self.airflow.wait(lambda: self.airflow.state(DAG, run_id) in over, within=WITHIN)
        return self.airflow.state(DAG, run_id)

    def states(self, run_id: str) -> dict[str, str]:
        listed = self.airflow.call("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in listed}

    def log(self, run_id: str, task: str) -> str:
        path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{task}/logs/1"
        return json.dumps(self.airflow.call("GET", path))

    def runs(self) -> list[Run]:
        experiment = self.client.get_experiment_by_name(DAG)
        return list(self.client.search_runs([experiment.experiment_id])) if experiment else []

    def parent(self, run_id: str) -> Run:
        (found,) = [run for run in self.runs() if run.data.tags.get(DAG_RUN_ID_TAG) == run_id]
        return found


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, migrate: Migrate) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("probe")
    project = copied(folder)
    airflow_yml = project / "conf" / "base" / "airflow.yml"
    airflow_yml.write_text(airflow_yml.read_text().partition("\n\n")[0] + "\n" + AIRFLOW)
    add_pipelines(project, project / "src" / "retraining" / "pipelines")
    configure(project, server__mlflow_tracking_uri="sqlite:///tracking.db", server__credentials="mlflow_login")
    (project / "conf" / "local").mkdir(exist_ok=True)
    secret = {"mlflow_login": {"MLFLOW_TRACKING_PASSWORD": "opensesame"}}
    (project / "conf" / "local" / "credentials.yml").write_text(yaml.safe_dump(secret))
    (folder / "var" / "mlflow").mkdir(parents=True)
    environment = {
        **deployment_environment(folder / "var"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "KEDRO_PROJECT_PATH": str(project),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'plugins'}:{project / 'src'}",
    }
    # The schedules of others would start their work beside this, for hours.
    for file in rendered(project, folder / "dags", environment):
        if file.stem != f"{DAG}_dag":
            file.unlink()
    migrate(environment)
    made = Deployment(project, Airflow(folder / "logs", environment))
    # Its experiment was deleted once.
    made.client.delete_experiment(made.client.create_experiment(DAG, (folder / "artifacts").as_uri()))
    try:
        made.airflow.start("api-server", "scheduler", "dag-processor")
        made.airflow.wait(lambda: made.airflow.has_dag(DAG), within=300)
        yield made
    finally:
        made.airflow.stop(*made.airflow.processes)


@pytest.fixture(scope="module")
def good(deployment: Deployment) -> Run:
    """The parent of a DAG run that succeeded."""
    assert deployment.run("good", count=5) == "success", deployment.states("good")
    return deployment.parent("good")


def test_all_tasks_log_to_one_run_in_the_store_that_mlflow_yml_names(deployment: Deployment, good: Run) -> None:
    assert good.info.status == "FINISHED"
    # Of all nodes, each in a process of its own; flat.
    assert good.data.params == {
        "probe.settings.line": "[1, 2]",
        "probe.settings.deep.colour": "blue",
        "probe.count": "5",
        "probe.fail": "False",
    }
    assert good.data.metrics["score"] == 0.5
    assert [item.path for item in deployment.client.list_artifacts(good.info.run_id, "figures")] == [
        "figures/picture.png"
    ]
    (inner,) = [run for run in deployment.runs() if run.data.tags.get("mlflow.parentRunId") == good.info.run_id]
    assert (inner.info.run_name, inner.info.status) == ("inner 5", "FINISHED")
    # Airflow's listener looks into that one, too.
    other = MlflowClient(deployment.airflow.environment["MLFLOW_TRACKING_URI"])
    assert [experiment.name for experiment in other.search_experiments()] == ["Default"]


def test_the_experiment_is_restored(deployment: Deployment, good: Run) -> None:
    experiment = deployment.client.get_experiment(good.info.experiment_id)
    assert (experiment.name, experiment.lifecycle_stage) == (DAG, "active")


def test_its_tags_record_how_it_was_requested(good: Run) -> None:
    tags = good.data.tags
    assert tags["runtime_params"] == "{'count': 5}"
    assert (tags["env"], tags["pipeline_names"]) == ("local", DAG)
    assert tags["kedro_command"] == "kedro run --pipelines=probe"
    assert tags["kedro_version"]
    assert not FAILURE.keys() & tags.keys()


def test_the_credentials_of_mlflow_yml_reach_the_tasks_and_are_shown_nowhere(deployment: Deployment, good: Run) -> None:
    assert (deployment.project / "conf" / "local" / "credentials.yml").is_file()
    assert "opensesame" not in str(good.to_dictionary())
    for task in deployment.states("good"):
        assert "opensesame" not in deployment.log("good", task)


def test_a_failure_is_recorded_by_type_and_message_without_the_password_in_it(deployment: Deployment) -> None:
    assert deployment.run("bad", fail=True) == "failed"
    parent = deployment.parent("bad")
    assert parent.info.status == "FAILED"
    assert FAILURE.items() <= parent.data.tags.items()
    assert parent.data.tags["airflow.failed_tasks"] == "third"
    # Those of the nodes that ran.
    assert parent.data.params.keys() >= {"probe.settings.line", "probe.count"}


def test_open_run_that_was_marked_as_success_leaves_no_run_behind(deployment: Deployment) -> None:
    before = {run.info.run_id for run in deployment.runs()}
    airflow = deployment.airflow
    airflow.call("PATCH", f"dags/{DAG}", {"is_paused": True})
    airflow.call("POST", f"dags/{DAG}/dagRuns", {"dag_run_id": "by_hand", "logical_date": None, "conf": {}})
    airflow.call("PATCH", f"dags/{DAG}/dagRuns/by_hand/taskInstances/open_run", {"new_state": "success"})
    airflow.call("PATCH", f"dags/{DAG}", {"is_paused": False})
    assert deployment.ended("by_hand") == "failed"
    # At its first try: the next would find no parent either.
    assert deployment.states("by_hand")["first"] == "failed"
    assert "left no parent run id (was it marked as success?); clear open_run" in deployment.log("by_hand", "first")
    assert {run.info.run_id for run in deployment.runs()} == before


def test_a_dag_run_that_was_deleted_and_made_again_has_a_parent_of_its_own(deployment: Deployment) -> None:
    assert deployment.run("again") == "success"
    before = deployment.parent("again")
    deployment.airflow.call("DELETE", f"dags/{DAG}/dagRuns/again")
    assert deployment.run("again") == "success"
    old, new = sorted((run for run in deployment.runs() if run.data.tags.get(DAG_RUN_ID_TAG) == "again"), key=_start)
    assert old.info.run_id == before.info.run_id
    assert old.data.tags[REPLACED_TAG] == new.info.run_id
    assert new.info.status == "FINISHED"


def _start(run: Run) -> int:
    return run.info.start_time


def test_where_no_experiment_may_be_created_the_dag_run_fails_before_any_node_runs(deployment: Deployment) -> None:
    configure(deployment.project, tracking__experiment__create=False, tracking__experiment__name="nobody_made_it")
    assert deployment.run("refused") == "failed"
    configure(deployment.project, tracking__experiment__create=True, tracking__experiment__name=DAG)
    states = deployment.states("refused")
    assert (states["open_run"], states["first"], states["third"]) == ("failed", "upstream_failed", "upstream_failed")
    log = deployment.log("refused", "open_run")
    assert "The experiment 'nobody_made_it' does not exist at sqlite:///" in log
    assert "mlflow.yml: tracking.experiment.create is false" in log
    assert deployment.client.get_experiment_by_name("nobody_made_it") is None


def test_a_pipeline_that_is_not_tracked_leaves_nothing(deployment: Deployment) -> None:
    before = {run.info.run_id for run in deployment.runs()}
    configure(deployment.project, tracking__disable_tracking__pipelines=[DAG])
    assert deployment.run("untracked") == "success", deployment.states("untracked")
    # But for the run that the second node opens itself.
    assert [run.info.run_name for run in deployment.runs() if run.info.run_id not in before] == ["inner 3"]
