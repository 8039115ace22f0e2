"""Life of a parent run, on a real store."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tracked_kedro.errors import PermanentError
from tracked_kedro.names import DAG_ID_TAG, DAG_RUN_ID_TAG, FAILED_TASKS_TAG, PROMOTION_TAG
from tracked_kedro.parent_run import runs


@pytest.fixture
def experiment(store: MlflowClient) -> str:
    return store.create_experiment("rents")


def opened(experiment: str, dag_run: str = "scheduled__2019-10-03T06:00:00+00:00", **tags: str) -> str:
    return runs.open_parent(experiment, "rents", dag_run, "rents 2019-09", tags)


def status(client: MlflowClient, run_id: str) -> str:
    return client.get_run(run_id).info.status


def child_of(client: MlflowClient, parent: str) -> str:
    experiment = client.get_run(parent).info.experiment_id
    return client.create_run(experiment, tags={MLFLOW_PARENT_RUN_ID: parent}).info.run_id


def test_a_parent_is_named_tagged_and_running(store: MlflowClient, experiment: str):
    run = store.get_run(opened(experiment, env="local"))
    assert run.info.run_name == "rents 2019-09"
    assert run.info.status == "RUNNING"
    assert run.data.tags.items() >= {
        (DAG_ID_TAG, "rents"),
        (DAG_RUN_ID_TAG, "scheduled__2019-10-03T06:00:00+00:00"),
        ("env", "local"),
    }


def test_opening_again_finds_the_same_run(store: MlflowClient, experiment: str):
    assert opened(experiment) == opened(experiment) == opened(experiment, env="changed since")
    assert len(store.search_runs([experiment])) == 1


def test_another_dag_run_is_another_parent(experiment: str):
    scheduled, manual = opened(experiment), opened(experiment, "manual__2019-10-15T00:00:00+00:00")
    other_dag = runs.open_parent(experiment, "flats", "scheduled__2019-10-03T06:00:00+00:00", "flats 2019-09", {})
    assert len({scheduled, manual, other_dag}) == 3


@pytest.mark.parametrize("failed", [(), ("report",)])
def test_a_closed_parent_is_opened_again(store: MlflowClient, experiment: str, failed: tuple[str, ...]):
    run_id = opened(experiment)
    runs.close_parent(run_id, failed)
    assert status(store, run_id) == ("FAILED" if failed else "FINISHED")
    assert opened(experiment) == run_id
    assert status(store, run_id) == "RUNNING"


def test_a_deleted_parent_is_not_found_again(store: MlflowClient, experiment: str):
    first = opened(experiment)
    store.delete_run(first)
    assert opened(experiment) != first


@pytest.mark.parametrize("work", [lambda run: runs.in_parent(run, list), runs.close_parent], ids=["task", "close_run"])
def test_a_parent_that_a_person_deleted_is_named_with_the_remedy(store: MlflowClient, experiment: str, work):
    run_id = opened(experiment)
    store.delete_run(run_id)
    with pytest.raises(PermanentError, match=f"{run_id} was deleted in MLflow: restore it there, or clear open_run"):
        work(run_id)
    store.restore_run(run_id)
    work(run_id)


def test_a_parent_that_is_gone_for_good_is_named_with_the_remedy(store: MlflowClient, experiment: str):
    with pytest.raises(PermanentError, match="was deleted in MLflow"):
        runs.in_parent("0" * 32, list)


def test_racing_threads_settle_on_one_run(store: MlflowClient, experiment: str):
    barrier = threading.Barrier(4)

    def race(_: int) -> str:
        barrier.wait()
        return opened(experiment)

    with ThreadPoolExecutor(4) as executor:
        found = set(executor.map(race, range(4)))
    assert [run.info.run_id for run in store.search_runs([experiment])] == list(found)


def test_a_run_that_appears_late_but_began_earlier_wins_everywhere(
    store: MlflowClient, experiment: str, monkeypatch: pytest.MonkeyPatch
):
    """The order in which racing runs become visible is not the order of their start times."""
    create = MlflowClient.create_run

    def slow_create(self, *args, **kwargs):
        begin = int(time.time() * 1000)
        if threading.current_thread().name == "late":
            time.sleep(0.2)  # between taking its start time and arriving in the store
        return create(self, *args, start_time=begin, **kwargs)

    monkeypatch.setattr(MlflowClient, "create_run", slow_create)
    found: list[str] = []
    late = threading.Thread(target=lambda: found.append(opened(experiment)), name="late")
    late.start()
    time.sleep(0.05)
    found.append(opened(experiment))
    late.join()
    assert len(set(found)) == 1
    assert len(store.search_runs([experiment])) == 1


RACER = """
import sys
from mlflow.tracking import MlflowClient
from tracked_kedro.parent_run.runs import open_parent

experiment = MlflowClient().get_experiment_by_name("rents").experiment_id
print("ready", flush=True)
sys.stdin.readline()
print(open_parent(experiment, "rents", "manual__1", "rents 2019-09", {}))
"""


def test_racing_processes_settle_on_one_run(store: MlflowClient, experiment: str):
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    found = {racer.communicate(timeout=300)[0].strip() for racer in racers}
    assert [run.info.run_id for run in store.search_runs([experiment])] == list(found)


def test_work_logs_to_the_parent_and_leaves_it_running(store: MlflowClient, experiment: str):
    run_id = opened(experiment)

    def work() -> str:
        mlflow.log_metric("rmse", 0.5)
        return mlflow.active_run().info.run_id

    assert runs.in_parent(run_id, work) == run_id
    assert mlflow.active_run() is None
    assert status(store, run_id) == "RUNNING"
    assert store.get_run(run_id).data.metrics == {"rmse": 0.5}


def test_work_that_fails_leaves_the_parent_running(store: MlflowClient, experiment: str):
    run_id = opened(experiment)
    with pytest.raises(ZeroDivisionError):
        runs.in_parent(run_id, lambda: 1 / 0)
    assert mlflow.active_run() is None
    assert status(store, run_id) == "RUNNING"


def test_the_parent_still_runs_when_the_task_process_has_ended(store: MlflowClient, experiment: str):
    """MLflow's exit hook ends what is active in the main thread; ours must not be."""
    run_id = opened(experiment)
    code = (
        "import sys, mlflow; from tracked_kedro.parent_run import runs; "
        "runs.in_parent(sys.argv[1], lambda: mlflow.log_param('a', 1))"
    )
    subprocess.run([sys.executable, "-c", code, run_id], check=True, timeout=300)
    assert store.get_run(run_id).data.params == {"a": "1"}
    assert status(store, run_id) == "RUNNING"


def test_without_a_parent_nothing_is_tracked(store: MlflowClient, experiment: str):
    assert runs.in_parent(None, mlflow.active_run) is None
    assert store.search_runs([experiment]) == []


def test_a_time_out_ends_the_task_and_not_only_its_patience():
    """Airflow's time-outs are signals to the main thread, which waits for the work."""

    class TimeOut(BaseException):
        pass

    def ring(*_: object) -> None:
        raise TimeOut

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    begin = time.monotonic()
    try:
        with pytest.raises(TimeOut):
            runs.in_parent(None, lambda: time.sleep(3))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begin < 1.5


@pytest.mark.parametrize("failed", [(), ("report", "series_1")])
def test_closing_ends_open_children_as_failed(store: MlflowClient, experiment: str, failed: tuple[str, ...]):
    """A child that nobody ended holds no finished work, whatever became of the DAG run."""
    parent, other = opened(experiment), opened(experiment, "manual__2")
    left_open, done, elsewhere = child_of(store, parent), child_of(store, parent), child_of(store, other)
    store.set_terminated(done, "FINISHED")
    runs.close_parent(parent, failed)
    assert [status(store, run) for run in (left_open, done, elsewhere)] == ["FAILED", "FINISHED", "RUNNING"]
    assert status(store, other) == "RUNNING"


def test_closing_tells_who_said_no(store: MlflowClient, experiment: str):
    run_id = opened(experiment)
    store.set_tag(run_id, PROMOTION_TAG, "not promoted yet: all 5 rules that apply are met")
    runs.close_parent(run_id)
    assert store.get_run(run_id).data.tags[PROMOTION_TAG].startswith("not promoted yet")
    runs.close_parent(run_id, not_promoted="ana rejected it")
    assert store.get_run(run_id).data.tags[PROMOTION_TAG] == "not promoted: ana rejected it"


def test_closing_names_the_failed_tasks_until_they_succeed(store: MlflowClient, experiment: str):
    run_id = opened(experiment)
    runs.close_parent(run_id, ["report", "series_1"])
    assert store.get_run(run_id).data.tags[FAILED_TASKS_TAG] == "report, series_1"
    runs.close_parent(opened(experiment))
    assert FAILED_TASKS_TAG not in store.get_run(run_id).data.tags
    assert status(store, run_id) == "FINISHED"


def test_losers_of_a_race_are_deleted_not_left_running(store: MlflowClient, experiment: str):
    with ThreadPoolExecutor(3) as executor:
        list(executor.map(lambda _: opened(experiment), range(3)))
    everything = store.search_runs([experiment], run_view_type=ViewType.ALL)
    alive = [run for run in everything if run.info.lifecycle_stage == "active"]
    assert len(alive) == 1
