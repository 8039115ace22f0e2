"""Which runs are ended because nobody else will end them, on a real store."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tracked_kedro import paging
from tracked_kedro.names import (
    AIRFLOW_TAG,
    DAG_ID_TAG,
    DAG_RUN_ID_TAG,
    DAG_RUN_URL_TAG,
    END_REASON_TAG,
    NOTE_TAG,
    PROCESS_TAG,
)
from tracked_kedro.parent_run import runs
from tracked_kedro.parent_run.reconciliation import Look, reconcile, this_process

AIRFLOW = "this"
PAGE = "http://airflow/dags/d/runs/r"


@pytest.fixture
def experiment(store: MlflowClient) -> str:
    return store.create_experiment("any")


def opened(experiment: str, dag_run: str = "r", **tags: str) -> str:
    return runs.open_parent(experiment, "d", dag_run, "any 2019-10", {AIRFLOW_TAG: AIRFLOW, **tags})


def child_of(store: MlflowClient, parent: str) -> str:
    return store.create_run(store.get_run(parent).info.experiment_id, tags={MLFLOW_PARENT_RUN_ID: parent}).info.run_id


def status(store: MlflowClient, run_id: str) -> str:
    return store.get_run(run_id).info.status


@pytest.mark.parametrize(
    ("state", "wanted"),
    [("failed", "FAILED"), ("success", "KILLED"), (None, "KILLED"), ("running", "RUNNING"), ("queued", "RUNNING")],
)
def test_by_the_state_of_the_dag_run(store: MlflowClient, experiment: str, state: str | None, wanted: str):
    parent = opened(experiment)
    child = child_of(store, parent)
    ended = reconcile(lambda dag_id, run_id: state, AIRFLOW).ended
    assert [run.run_id for run in ended] == ([] if wanted == "RUNNING" else [parent])
    assert status(store, parent) == wanted
    assert status(store, child) == ("RUNNING" if wanted == "RUNNING" else "KILLED")


def test_more_than_a_page_of_parents_and_children(
    store: MlflowClient, experiment: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(paging, "PAGE", 2)
    parents = [
        store.create_run(experiment, tags={AIRFLOW_TAG: AIRFLOW, DAG_ID_TAG: "d", DAG_RUN_ID_TAG: f"r{number}"})
        for number in range(5)
    ]
    children = [child_of(store, parents[0].info.run_id) for _ in range(5)]
    ended = reconcile(lambda dag_id, run_id: "failed", AIRFLOW).ended
    assert {run.run_id for run in ended} == {parent.info.run_id for parent in parents}
    assert {status(store, child) for child in children} == {"KILLED"}


def test_runs_of_another_airflow_are_left_alone(store: MlflowClient, experiment: str):
    other, nobody = opened(experiment, **{AIRFLOW_TAG: "another"}), store.create_run(experiment).info.run_id
    assert reconcile(lambda dag_id, run_id: None, AIRFLOW) == Look((), ())
    assert reconcile(lambda dag_id, run_id: None, None) == Look((), ())
    assert {status(store, other), status(store, nobody)} == {"RUNNING"}


def test_a_run_that_its_close_task_ended_meanwhile_is_left_alone(store: MlflowClient, experiment: str):
    parent = opened(experiment)

    def closing(dag_id: str, run_id: str) -> str:
        runs.close_parent(parent)
        return "success"

    assert reconcile(closing, AIRFLOW) == Look((), ())
    assert status(store, parent) == "FINISHED"


def test_by_the_process_of_dags_test(store: MlflowClient, experiment: str):
    gone = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tracked_kedro.parent_run.reconciliation import this_process; print(this_process())",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    parents = {
        process: opened(experiment, process, **{PROCESS_TAG: process})
        for process in (gone, this_process(), f"elsewhere {gone.split(' ', 1)[1]}")
    }
    assert [run.run_id for run in reconcile(lambda dag_id, run_id: "running", AIRFLOW).ended] == [parents.pop(gone)]
    assert {status(store, parent) for parent in parents.values()} == {"RUNNING"}


def test_a_child_that_was_opened_after_the_end_is_ended_too(store: MlflowClient, experiment: str):
    parent, alive = opened(experiment), opened(experiment, "alive")
    runs.abandon_parent(parent, "FAILED", "a test")
    late, of_alive = child_of(store, parent), child_of(store, alive)
    assert [run.run_id for run in reconcile(lambda dag_id, run_id: "running", AIRFLOW).ended] == [late]
    assert (status(store, late), status(store, of_alive)) == ("KILLED", "RUNNING")


def test_other_experiments_are_not_looked_at_when_one_is_named(store: MlflowClient, experiment: str):
    parent = opened(experiment)
    assert reconcile(lambda dag_id, run_id: None, AIRFLOW, [store.create_experiment("other")]) == Look((), ())
    assert status(store, parent) == "RUNNING"


def test_done_again_nothing_is_left_of_the_end(store: MlflowClient, experiment: str):
    parent = opened(experiment, **{PROCESS_TAG: "host 1 1"})
    runs.abandon_parent(parent, "KILLED", "a test")
    assert store.get_run(parent).data.tags[END_REASON_TAG] == "a test"
    assert opened(experiment) == parent
    now = store.get_run(parent)
    assert now.info.status == "RUNNING"
    assert not {END_REASON_TAG, PROCESS_TAG} & now.data.tags.keys()


@pytest.mark.parametrize("end", [runs.close_parent, lambda run_id: runs.abandon_parent(run_id, "KILLED", "a test")])
def test_the_description_ends_with_the_way_back_to_airflow(store: MlflowClient, experiment: str, end):
    parent = opened(experiment, **{DAG_RUN_URL_TAG: PAGE})
    store.set_tag(parent, NOTE_TAG, "What the pipeline says.")
    end(parent)
    wanted = f"What the pipeline says.\n\n[This DAG run in Airflow]({PAGE})"
    assert store.get_run(parent).data.tags[NOTE_TAG] == wanted
    opened(experiment, **{DAG_RUN_URL_TAG: PAGE})
    end(parent)
    assert store.get_run(parent).data.tags[NOTE_TAG] == wanted


HOSTILE = [
    "",
    "x",
    "a b",
    "{host} x 1",
    "{host} -1 1",
    "{host} 1 nan",
    "{host} 99999999999999999999 1",
    "{host} 1 1 1",
    "\n",
]


@pytest.mark.parametrize("process", HOSTILE)
def test_a_tag_of_any_shape_is_no_process_and_stops_nobody(store: MlflowClient, experiment: str, process: str):
    tag = process.format(host=socket.gethostname())
    strange = store.create_run(experiment, tags={PROCESS_TAG: tag, DAG_RUN_ID_TAG: "r"}).info.run_id
    parent = opened(experiment)
    assert [run.run_id for run in reconcile(lambda dag_id, run_id: "failed", AIRFLOW).ended] == [parent]
    assert status(store, strange) == "RUNNING"


@pytest.mark.parametrize("named", ["0" * 32, "../..", "x'y"])
def test_a_child_of_no_run_stops_nobody(store: MlflowClient, experiment: str, named: str):
    store.create_run(experiment, tags={MLFLOW_PARENT_RUN_ID: named})
    parent = opened(experiment)
    child = child_of(store, parent)
    runs.close_parent(parent)
    store.update_run(child, status="RUNNING")
    assert [run.run_id for run in reconcile(lambda dag_id, run_id: "running", AIRFLOW).ended] == [child]


def test_a_run_that_may_not_be_ended_stops_nobody(store: MlflowClient, monkeypatch: pytest.MonkeyPatch):
    """Whoever may open a run of her own can write any tags on it; the tasks' user may only read it."""
    ours, hers = (store.create_experiment(name) for name in ("ours", "hers"))
    parents = {opened(place, place): place for place in (hers, ours)}
    ended = runs.abandon_parent

    def refusing(run_id: str, status: str, reason: str) -> bool:
        if parents[run_id] == hers:
            raise MlflowException("Permission denied", error_code=PERMISSION_DENIED)
        return ended(run_id, status, reason)

    monkeypatch.setattr(runs, "abandon_parent", refusing)
    assert [parents[run.run_id] for run in reconcile(lambda dag_id, run_id: "failed", AIRFLOW).ended] == [ours]
