"""What the catalog and the nodes log to a run: pictures, metrics, models, nested runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from tests.integration.tracking.probe import Project

# MLflow about classes of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


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


@pytest.mark.parametrize("way", ["kedro run", "tasks"])
def test_a_model_is_logged_registered_and_a_given_version_read(project: Project, var: Path, way: str) -> None:
    def run(node: str, **probe: str) -> None:
        if way == "tasks":
            project.tasks("shelf", (node,), **probe)
        else:
            project.kedro_run(pipeline="shelf", from_nodes=[node], to_nodes=[node], **probe)

    for answer in ("a", "b"):
        run("fit", answer=answer)
    versions = project.client.search_model_versions("name = 'shelf'")
    assert sorted(int(one.version) for one in versions) == [1, 2]
    assert len({one.run_id for one in versions}) == 2
    run("ask")
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
