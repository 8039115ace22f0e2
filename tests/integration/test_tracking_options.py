"""What mlflow.yml and the catalog can say, on a pipeline of its own in a copy of the project: `kedro run` and tasks.

Tasks run each node in a session of its own inside one parent run, as a DAG does (`tracked_kedro.tasks.RunNodes`).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from tests.conftest import ROOT

import retraining.pipelines
from tracked_kedro import runs
from tracked_kedro.sessions import Session

# MLflow about classes of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")

NODES = ("first", "second", "third")
PIPELINE = '''
"""Three nodes, each with a parameter: a picture and numbers, a served model, and an end that may fail."""

import mlflow
from kedro.pipeline import node, pipeline
from matplotlib.figure import Figure


def first(settings):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot(settings["line"])
    return figure, 0.5, {"loss": [{"step": 1, "value": 0.9}, {"step": 2, "value": 0.4}]}


def second(count):
    with mlflow.start_run(nested=True, run_name=f"inner {count}"):
        mlflow.log_metric("inner", count)
    return str(count)


def third(text, fail):
    if fail:
        raise ValueError(f"asked to fail after {text}")
    return text


def create_pipeline():
    made = ["probe_picture", "probe_score", "probe_curve"]
    return pipeline(
        [
            node(first, "params:probe.settings", made, name="first"),
            node(second, "params:probe.count", "probe_text", name="second"),
            node(third, ["probe_text", "params:probe.fail"], "probe_end", name="third"),
        ]
    )
'''
MODEL_PIPELINE = '''
"""A model, logged as the file that says how it answers, and its first version's answer."""

from pathlib import Path

from kedro.pipeline import node, pipeline

CODE = """
import mlflow


class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str], params=None) -> list[str]:
        return ["{answer}"] * len(model_input)


mlflow.models.set_model(Constant())
"""


def fit(answer):
    path = Path(__file__).with_name(f"answer_{answer}.py")
    path.write_text(CODE.replace("{answer}", answer))
    return str(path)


def ask(model):
    return model.predict(["?"])[0]


def create_pipeline():
    return pipeline(
        [
            node(fit, "params:probe.answer", "shelf_model", name="fit"),
            node(ask, "shelf_first_version", "shelf_answer", name="ask"),
        ]
    )
'''
CATALOG = """
shelf_model:
  type: kedro_mlflow.io.models.MlflowModelTrackingDataset
  flavor: mlflow.pyfunc
  pyfunc_workflow: python_model
  save_args: {name: model, registered_model_name: shelf, pip_requirements: []}
shelf_first_version: {type: kedro_mlflow.io.models.MlflowModelRegistryDataset, model_name: shelf, stage_or_version: 1}
shelf_answer: {type: text.TextDataset, filepath: "${run_folder:shelf,null}/answer.txt"}
probe_picture:
  type: retraining.tracking.artifacts.MlflowArtifactDataset
  artifact_path: figures
  dataset: {type: matplotlib.MatplotlibDataset, filepath: "${run_folder:probe,null}/picture.png"}
probe_score: {type: kedro_mlflow.io.metrics.MlflowMetricDataset, key: score}
probe_curve: {type: kedro_mlflow.io.metrics.MlflowMetricsHistoryDataset, prefix: ""}
probe_text: {type: text.TextDataset, filepath: "${run_folder:probe,null}/text.txt"}
probe_end: {type: text.TextDataset, filepath: "${run_folder:probe,null}/end.txt"}
"""
PARAMETERS: dict[str, Any] = {
    "settings": {"line": [1, 2], "deep": {"colour": "blue"}},
    "count": 3,
    "fail": False,
    "answer": "a",
}


@dataclass(frozen=True)
class Project:
    """A copy of the project with the pipeline `probe`, and the store that it logs to."""

    root: Path
    client: MlflowClient

    def configure(self, **changes: Any) -> None:
        """Change mlflow.yml; keys are paths with double underscores (tracking__run__name)."""
        path = self.root / "conf" / "base" / "mlflow.yml"
        content = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            *parents, leaf = key.split("__")
            branch = content
            for parent in parents:
                branch = branch[parent]
            branch[leaf] = value
        path.write_text(yaml.safe_dump(content))

    def kedro_run(
        self,
        from_nodes: list[str] | None = None,
        to_nodes: list[str] | None = None,
        pipeline: str = "probe",
        **probe: Any,
    ) -> Any:
        """Run the pipeline as `kedro run` does; its context."""
        bootstrap_project(self.root)
        parameters = {"probe": probe} if probe else None
        with KedroSession.create(self.root, runtime_params=parameters, env="test", save_on_close=False) as session:
            session.run(pipeline_names=[pipeline], from_nodes=from_nodes, to_nodes=to_nodes)
            return session.load_context()

    def tasks(self, **probe: Any) -> None:
        """Run each node as a task of a DAG does, inside one parent run that stays open."""
        experiment = self.client.get_experiment_by_name("probe")
        number = experiment.experiment_id if experiment else self.client.create_experiment("probe")
        parent = runs.open_parent(number, "probe", "manual__1", "probe 2024-08", {})
        for name in NODES:
            runs.in_parent(parent, lambda name=name: Session("probe", {"probe": probe} if probe else {}).run([name]))

    def runs(self, name: str = "probe") -> list[Run]:
        experiment = self.client.get_experiment_by_name(name)
        return list(self.client.search_runs([experiment.experiment_id])) if experiment else []

    def parents(self) -> list[Run]:
        return [run for run in self.runs() if "mlflow.parentRunId" not in run.data.tags]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs; its migrations take seconds, a copy none."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def project(tmp_path: Path, var: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The copy, with everything of the process that a session changes put back at the end."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)  # Kedro wants one; the package itself is on the path
    shutil.copy(database, var / "mlflow" / "mlflow.db")
    shutil.copy(ROOT / "kedro_project" / "pyproject.toml", root)
    shutil.copytree(ROOT / "kedro_project" / "conf", root / "conf")
    for environment in ("local", "test"):
        (root / "conf" / environment).mkdir(exist_ok=True)
    base = root / "conf" / "base"
    (base / "catalog_probe.yml").write_text(CATALOG)
    (base / "parameters_probe.yml").write_text(yaml.safe_dump({"probe": PARAMETERS}))
    airflow = base / "airflow.yml"
    airflow.write_text(airflow.read_text() + "\nprobe: {description: A pipeline of three nodes, schedule: null}\n")
    for name, code in (("probe", PIPELINE), ("shelf", MODEL_PIPELINE)):
        package = tmp_path / "more" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code)
    monkeypatch.setattr(retraining.pipelines, "__path__", [*retraining.pipelines.__path__, str(tmp_path / "more")])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(root))
    monkeypatch.setenv("KEDRO_LOGGING_CONFIG", str(ROOT / "kedro_project" / "conf" / "logging_airflow.yml"))
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


def test_each_node_logs_its_parameters_flat(run: Callable, project: Project) -> None:
    run()
    (parent,) = project.parents()
    assert parent.data.params == {
        "probe.settings.line": "[1, 2]",
        "probe.settings.deep.colour": "blue",
        "probe.count": "3",
        "probe.fail": "False",
    }


def test_parameters_may_stay_nested_or_be_flattened_once(run: Callable, project: Project) -> None:
    project.configure(tracking__params__dict_params={"flatten": True, "recursive": False, "sep": "-"})
    run()
    (parent,) = project.parents()
    assert parent.data.params["probe.settings-deep"] == "{'colour': 'blue'}"
    assert "probe.settings-line" in parent.data.params


@pytest.mark.parametrize("strategy", ["truncate", "tag"])
def test_long_parameters(run: Callable, project: Project, strategy: str) -> None:
    project.configure(tracking__params__long_params_strategy=strategy)
    line = [1] * 2500
    run(settings={"line": line})
    (parent,) = project.parents()
    name, written = "probe.settings.line", str(line)
    kept = parent.data.params if strategy == "truncate" else parent.data.tags
    other = parent.data.tags if strategy == "truncate" else parent.data.params
    same = kept[name] == (written[:6000] if strategy == "truncate" else written)
    assert same, kept[name][:100]
    assert name not in other


def test_a_failed_run_keeps_the_parameters_of_the_nodes_that_ran(run: Callable, project: Project) -> None:
    with pytest.raises(ValueError, match="asked to fail after 3"):
        run(fail=True)
    (parent,) = project.parents()
    assert parent.data.params.keys() >= {"probe.settings.line", "probe.count"}
    assert parent.data.metrics["score"] == 0.5


def test_datasets_log_a_picture_a_metric_and_a_curve(run: Callable, project: Project) -> None:
    run()
    (parent,) = project.parents()
    assert parent.data.metrics["score"] == 0.5
    history = project.client.get_metric_history(parent.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.9), (2, 0.4)]
    # A PNG is what MLflow's artifact viewer shows.
    (picture,) = project.client.list_artifacts(parent.info.run_id, "figures")
    assert picture.path == "figures/picture.png"
    content = Path(project.client.download_artifacts(parent.info.run_id, picture.path)).read_bytes()
    assert content.startswith(b"\x89PNG")


def test_a_model_is_logged_registered_and_a_given_version_read(project: Project, var: Path) -> None:
    for answer in ("a", "b"):
        project.kedro_run(pipeline="shelf", to_nodes=["fit"], answer=answer)
    versions = project.client.search_model_versions("name = 'shelf'")
    assert sorted(int(one.version) for one in versions) == [1, 2]
    assert len({one.run_id for one in versions}) == 2
    project.kedro_run(pipeline="shelf", from_nodes=["ask"])
    assert (var / "data" / "shelf" / "kedro" / "answer.txt").read_text() == "a"
    assert mlflow.pyfunc.load_model("models:/shelf/2").predict(["?"]) == ["b"]
    files = [path.name for path in (var / "mlflow").rglob("*") if path.is_file()]
    assert not [name for name in files if name.endswith((".pkl", ".pickle"))]


def test_a_node_may_open_nested_runs(run: Callable, project: Project) -> None:
    run()
    (parent,) = project.parents()
    (inner,) = [one for one in project.runs() if one.info.run_id != parent.info.run_id]
    assert inner.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert (inner.info.run_name, inner.info.status, inner.data.metrics) == ("inner 3", "FINISHED", {"inner": 3.0})
    # What follows in the node's run goes to the parent again.
    assert parent.data.params["probe.fail"] == "False"


def test_tracking_off_for_a_pipeline_silences_its_datasets_too(project: Project) -> None:
    project.configure(tracking__disable_tracking__pipelines=["probe"])
    project.kedro_run(to_nodes=["first"])
    assert project.runs() == []
    with mlflow.start_run(experiment_id=project.client.create_experiment("other")) as outer:
        project.kedro_run(to_nodes=["first"])
    seen = project.client.get_run(outer.info.run_id)
    assert (seen.data.params, seen.data.metrics) == ({}, {})
    assert project.client.list_artifacts(outer.info.run_id) == []


def test_a_run_bears_the_name_that_is_configured(project: Project) -> None:
    project.configure(tracking__run__name="by hand")
    project.kedro_run()
    (parent,) = project.parents()
    assert (parent.info.run_name, parent.info.status) == ("by hand", "FINISHED")


def test_a_run_is_continued_by_its_id(project: Project) -> None:
    with pytest.raises(ValueError, match="asked to fail"):
        project.kedro_run(fail=True)
    (failed,) = project.parents()
    assert failed.info.status == "FAILED"
    project.configure(tracking__run__id=failed.info.run_id)
    project.kedro_run(from_nodes=["third"])
    (continued,) = project.parents()
    assert (continued.info.run_id, continued.info.status) == (failed.info.run_id, "FINISHED")
    # A parameter cannot be logged twice; the new value is noted.
    assert continued.data.params["probe.fail"] == "True"
    assert continued.data.tags["changed_parameter.probe.fail"] == "False"


def test_tags_tell_how_the_run_was_asked_for(project: Project) -> None:
    project.kedro_run(to_nodes=["second"], count=5)
    (parent,) = project.parents()
    tags = parent.data.tags
    assert tags["env"] == "test"
    assert tags["kedro_version"]
    assert tags["pipeline_names"] == "['probe']"
    assert tags["to_nodes"] == "['second']"
    assert "'count': 5" in tags["runtime_params"]
    assert tags["kedro_command"] == "kedro run --to-nodes=second --pipeline=probe"


def test_an_error_is_told_by_type_and_message(project: Project) -> None:
    with pytest.raises(ValueError, match="asked to fail"):
        project.kedro_run(fail=True)
    (parent,) = project.parents()
    assert parent.info.status == "FAILED"
    assert (parent.data.tags["error_type"], parent.data.tags["error_message"]) == (
        "ValueError",
        "asked to fail after 3",
    )


def test_the_experiment_is_made_with_its_place_and_restored(project: Project, var: Path) -> None:
    project.kedro_run(to_nodes=["first"])
    experiment = project.client.get_experiment_by_name("probe")
    assert experiment is not None
    assert experiment.artifact_location == (var / "mlflow" / "artifacts" / "probe").as_uri()
    assert experiment.tags["mlflow.note.content"] == "One parent run per retraining."
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


def test_from_python_inside_an_open_run(project: Project) -> None:
    with mlflow.start_run(experiment_id=project.client.create_experiment("notebook"), run_name="mine") as outer:
        project.kedro_run()
        assert mlflow.active_run().info.run_id == outer.info.run_id
        mlflow.log_metric("after", 1)
    assert project.runs() == []
    mine = project.client.get_run(outer.info.run_id)
    assert (mine.info.run_name, mine.info.status) == ("mine", "FINISHED")
    assert mine.data.metrics.keys() >= {"score", "loss", "after"}
    assert mine.data.params["probe.count"] == "3"
