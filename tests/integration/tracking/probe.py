"""A copy of the project with two made-up pipelines, for what mlflow.yml and the catalog can say.

Tasks run each node in a session of its own inside one parent run, as a DAG does (`tracked_kedro.dag.tasks.RunNodes`);
`test_dag.py` runs the DAG itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tracked_kedro.kedro_side.sessions import Session
from tracked_kedro.parent_run import runs

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
        raise ValueError(f"asked to fail after {text} by postgresql://probe:opensesame@host/db")
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
  type: tracked_kedro.kedro_side.artifacts.MlflowArtifactDataset
  artifact_path: figures
  dataset: {type: matplotlib.MatplotlibDataset, filepath: "${run_folder:probe,null}/picture.png"}
probe_score: {type: kedro_mlflow.io.metrics.MlflowMetricDataset, key: score}
probe_curve: {type: kedro_mlflow.io.metrics.MlflowMetricsHistoryDataset, prefix: ""}
probe_text: {type: text.TextDataset, filepath: "${run_folder:probe,null}/text.txt"}
probe_end: {type: text.TextDataset, filepath: "${run_folder:probe,null}/end.txt"}
"""
AIRFLOW = """
probe:
  description: A pipeline of three nodes
  doc: Made up for a test.
  group_by: node
  params:
    count: {default: 3, type: integer, title: Count, description: A number.}
    fail: {default: false, type: boolean, title: Fail, description: Whether the last node fails.}
  kedro_parameters: {count: probe.count, fail: probe.fail}
"""
# What a run that was asked to fail says, to everybody.
FAILURE = {"error_type": "ValueError", "error_message": "asked to fail after 3 by postgresql://***@host/db"}
PARAMETERS: dict[str, Any] = {
    "settings": {"line": [1, 2], "deep": {"colour": "blue"}},
    "count": 3,
    "fail": False,
    "answer": "a",
}


def add_pipelines(project: Path, packages: Path) -> None:
    """Write both pipelines' packages to a folder, and their configuration to the project's."""
    base = project / "conf" / "base"
    (base / "catalog_probe.yml").write_text(CATALOG)
    (base / "parameters_probe.yml").write_text(yaml.safe_dump({"probe": PARAMETERS}))
    for name, code in (("probe", PIPELINE), ("shelf", MODEL_PIPELINE)):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text(code)


def configure(project: Path, **changes: Any) -> None:
    """Change mlflow.yml; keys are paths with double underscores (tracking__run__name)."""
    path = project / "conf" / "base" / "mlflow.yml"
    content = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *parents, leaf = key.split("__")
        branch = content
        for parent in parents:
            branch = branch[parent]
        branch[leaf] = value
    path.write_text(yaml.safe_dump(content))


@dataclass(frozen=True)
class Project:
    """A copy of the project with the pipeline `probe`, and the store that it logs to."""

    root: Path
    client: MlflowClient

    def configure(self, **changes: Any) -> None:
        configure(self.root, **changes)

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

    def tasks(self, pipeline: str = "probe", nodes: tuple[str, ...] = NODES, **probe: Any) -> None:
        """Run each node as a task of a DAG does, inside one parent run that stays open."""
        experiment = self.client.get_experiment_by_name(pipeline)
        number = experiment.experiment_id if experiment else self.client.create_experiment(pipeline)
        parent = runs.open_parent(number, pipeline, f"manual__{len(self.runs(pipeline))}", f"{pipeline} 2024-08", {})
        for name in nodes:
            session = Session(pipeline, {"probe": probe} if probe else {})
            runs.in_parent(parent, lambda session=session, name=name: session.run([name]))

    def runs(self, name: str = "probe") -> list[Run]:
        experiment = self.client.get_experiment_by_name(name)
        return list(self.client.search_runs([experiment.experiment_id])) if experiment else []

    def parents(self) -> list[Run]:
        return [run for run in self.runs() if "mlflow.parentRunId" not in run.data.tags]
