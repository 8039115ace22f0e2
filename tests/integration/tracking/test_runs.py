"""The life of a run: its name, its continuation, its tags, its end; and a run that Python code has opened."""

from __future__ import annotations

from collections.abc import Callable

import mlflow
import pytest

from tests.integration.tracking.probe import FAILURE, Project
from tracked_kedro.kedro_side.sessions import Session
from tracked_kedro.parent_run import runs

# MLflow about classes of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


def test_a_run_has_the_configured_name(project: Project) -> None:
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


def test_tags_record_how_the_run_was_requested(project: Project) -> None:
    project.kedro_run(to_nodes=["second"], count=5)
    (parent,) = project.parents()
    tags = parent.data.tags
    assert tags["env"] == "test"
    assert tags["kedro_version"]
    assert tags["pipeline_names"] == "['probe']"
    assert tags["to_nodes"] == "['second']"
    assert "'count': 5" in tags["runtime_params"]
    assert tags["kedro_command"] == "kedro run --to-nodes=second --pipeline=probe"


def test_an_error_is_recorded_by_type_and_message_without_the_password_in_it(run: Callable, project: Project) -> None:
    with pytest.raises(ValueError, match="asked to fail after 3 by postgresql://probe:opensesame@"):
        run(fail=True)
    (parent,) = project.parents()
    assert FAILURE.items() <= parent.data.tags.items()
    # A parent is ended by its DAG's close_run.
    assert parent.info.status == ("RUNNING" if run == project.tasks else "FAILED")


def test_the_reason_goes_when_a_retry_has_mended_it(project: Project) -> None:
    with pytest.raises(ValueError, match="asked to fail"):
        project.tasks(fail=True)
    (parent,) = project.parents()
    runs.in_parent(parent.info.run_id, lambda: Session("probe").run(["third"]))
    runs.close_parent(parent.info.run_id)
    (parent,) = project.parents()
    assert parent.info.status == "FINISHED"
    assert not FAILURE.keys() & parent.data.tags.keys()


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
