"""What a person, a clock or a failure does to a DAG run, on a real scheduler: each line of docs/dag_run_ends.md."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.deployment import ROOT, deployment_environment
from tests.fixtures.real_airflow import Airflow
from tests.fixtures.rents import write_project
from tests.fixtures.stack import PlainServer
from tests.fixtures.templates import Migrate
from tests.integration.test_listener import DELETE
from tracked_kedro.names import DAG_RUN_ID_TAG, PROMOTION_TAG

pytestmark = [
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

LINE = re.compile(r"^\| ([^|]+) \| (success|failed|running|gone) \| (FINISHED|FAILED|KILLED|RUNNING) \| .+ \|$", re.M)
PAGE = LINE.findall((ROOT / "docs" / "dag_run_ends.md").read_text())
WITHIN = 300  # a bound for a busy machine; what is measured is printed

# What every generated DAG has, around a task that works in the parent until it is told how to end.
DAGS = """
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, task
from tracked_kedro.dag import tasks
from tracked_kedro.parent_run import runs

KEDRO = {"pipeline": "rents", "parameters": {}}
ORDERS = Path(__ORDERS__)

@task(retries=0)
def work(**context):
    import time

    def wait():
        order = ORDERS / context["run_id"]
        while not order.exists():
            time.sleep(0.2)
        if order.read_text() == "fail":
            raise ValueError("told to fail")

    runs.in_parent(context["ti"].xcom_pull(task_ids="open_run"), wait)

@task
def after():
    pass

@task
def decide():
    known = {"model": "rents", "version": 1, "reason": "better", "text": "", "pictures": {}}
    return {"promote": True, **known}

@task
def promote():
    pass

CLOSE = {"trigger_rule": "all_done"}
for dag_id, timeout in {"works": None, "works_briefly": timedelta(seconds=90)}.items():
    with DAG(dag_id, schedule=None, dagrun_timeout=timeout):
        tasks.open_run(**KEDRO) >> work() >> after() >> tasks.close_run.override(**CLOSE)()

for dag_id, hours, timeout in (("asks", 1, None), ("asks_briefly", 5 / 3600, None), ("ends", 1, timedelta(seconds=90))):
    settings = {"default_args": {"retries": 1, "retry_delay": timedelta(seconds=1)}, "dagrun_timeout": timeout}
    with DAG(dag_id, schedule=None, params={"promotion_mode": "approve"}, **settings):
        asked = tasks.open_run(**KEDRO) >> decide() >> tasks.approve(hours=hours, doc_md="Asks.") >> promote()
        asked >> tasks.close_run.override(**CLOSE)()
"""


class Event:
    """A DAG run to which something is done."""

    def __init__(self, airflow: Airflow, client: MlflowClient, orders: Path, name: str) -> None:
        self.airflow, self.client, self.orders = airflow, client, orders
        self.run_id = re.sub(r"\W+", "_", name)
        self.dag = "works"

    def begin(self, dag: str = "works", until: tuple[str, str] = ("work", "running")) -> None:
        self.dag = dag
        self.airflow.trigger(dag, self.run_id)
        task, state = until
        self.airflow.wait(lambda: self.task(task) == state, within=WITHIN)
        self.airflow.wait(self.parent, within=WITHIN)

    def order(self, what: str = "end") -> None:
        (self.orders / self.run_id).write_text(what)

    def task(self, name: str) -> str | None:
        return self.airflow.call("GET", f"dags/{self.dag}/dagRuns/{self.run_id}/taskInstances/{name}")["state"]

    def mark_task(self, name: str, state: str) -> None:
        path = f"dags/{self.dag}/dagRuns/{self.run_id}/taskInstances/{name}?update_mask=new_state"
        self.airflow.call("PATCH", path, {"new_state": state})

    def clear(self, *names: str) -> None:
        body = {"dry_run": False, "only_failed": False, "dag_run_id": self.run_id, "task_ids": list(names)}
        self.airflow.call("POST", f"dags/{self.dag}/clearTaskInstances", body)

    def pause(self, paused: bool) -> None:
        self.airflow.call("PATCH", f"dags/{self.dag}?update_mask=is_paused", {"is_paused": paused})

    def answer(self, option: str) -> None:
        """Faster than any person: the moment that the API takes it."""
        path = f"dags/{self.dag}/dagRuns/{self.run_id}/taskInstances/approve/-1/hitlDetails"

        def taken() -> bool:
            try:
                self.airflow.call("PATCH", path, {"chosen_options": [option], "params_input": {"comment": ""}})
            except HTTPError as error:
                assert error.code in (404, 409), error
                return False
            return True

        self.airflow.wait(taken, within=WITHIN)

    def state(self) -> str:
        try:
            return self.airflow.state(self.dag, self.run_id)
        except HTTPError as error:
            assert error.code == 404
            return "gone"

    def ended(self) -> None:
        self.airflow.wait(lambda: self.state() not in ("queued", "running"), within=WITHIN)

    def parent(self) -> Run | None:
        experiment = self.client.get_experiment_by_name("rents")
        query = f"tags.`{DAG_RUN_ID_TAG}` = '{self.run_id}'"
        found = self.client.search_runs([experiment.experiment_id], query) if experiment else []
        assert len(found) <= 1, "one DAG run has one parent"
        return found[0] if found else None

    def status(self) -> str:
        parent = self.parent()
        return parent.info.status if parent else "none"


def ends_well(event: Event) -> None:
    event.begin()
    event.order()
    event.ended()


def fails(event: Event) -> None:
    event.begin()
    event.order("fail")
    event.ended()


def marked(state: str) -> Callable[[Event], None]:
    def do(event: Event) -> None:
        event.begin()
        event.airflow.mark(event.dag, event.run_id, state)

    return do


def deleted_while_working(event: Event) -> None:
    event.begin()
    command = [sys.executable, "-W", "ignore", "-c", DELETE, event.run_id]
    subprocess.run(command, env=event.airflow.settings, check=True, capture_output=True, timeout=120)


def deleted_after_its_end(event: Event) -> None:
    ends_well(event)
    event.airflow.call("DELETE", f"dags/{event.dag}/dagRuns/{event.run_id}")


def task_marked(state: str) -> Callable[[Event], None]:
    def do(event: Event) -> None:
        event.begin()
        event.mark_task("work", state)
        event.ended()

    return do


def working_task_cleared(event: Event) -> None:
    event.begin()
    event.clear("work")
    event.airflow.wait(lambda: event.task("work") != "running", within=WITHIN)
    event.order()
    event.ended()
    assert event.task("work") == "success"


def task_cleared_after_the_end(event: Event) -> None:
    ends_well(event)
    _again(event, "work", "after", "close_run")


def cleared_after(end: Callable[[Event], None]) -> Callable[[Event], None]:
    def do(event: Event) -> None:
        end(event)
        _again(event, "open_run", "work", "after", "close_run")

    return do


def _again(event: Event, *tasks: str) -> None:
    (event.orders / event.run_id).unlink()
    before = event.parent()
    event.clear(*tasks)
    event.airflow.wait(lambda: event.task("work") == "running" and event.status() == "RUNNING", within=WITHIN)
    event.order()
    event.ended()
    now = event.parent()
    assert before is not None
    assert now is not None
    assert now.info.run_id == before.info.run_id


def paused(event: Event) -> None:
    event.begin()
    event.pause(True)
    event.order()
    event.airflow.wait(lambda: event.task("work") == "success", within=WITHIN)
    time.sleep(20)  # a look of the process beside the scheduler, and none that ends it
    assert event.task("after") is None


def unpaused(event: Event) -> None:
    paused(event)
    assert event.status() == "RUNNING"
    event.pause(False)
    event.ended()


def timed_out(event: Event) -> None:
    event.begin("works_briefly")
    event.ended()


def timed_out_asking(event: Event) -> None:
    event.begin("ends", until=("approve", "awaiting_input"))
    event.ended()


def answered(option: str) -> Callable[[Event], None]:
    def do(event: Event) -> None:
        event.begin("asks", until=("decide", "success"))
        event.answer(option)
        deadline = time.monotonic() + WITHIN
        while event.state() in ("queued", "running"):
            assert time.monotonic() < deadline
            # A try that Airflow took for one that never began asks again.
            if event.task("approve") == "awaiting_input":
                print("  asked again")
                event.answer(option)
            time.sleep(0.5)
        tries = event.airflow.call("GET", f"dags/asks/dagRuns/{event.run_id}/taskInstances/approve")
        print(f"  tries: {tries['try_number']} of {tries['max_tries'] + 1}")
        assert event.task("promote") == ("success" if option == "Approve" else "skipped")

    return do


def nobody_answers(event: Event) -> None:
    event.begin("asks_briefly", until=("decide", "success"))
    event.ended()
    parent = event.parent()
    assert parent is not None
    assert parent.data.tags[PROMOTION_TAG] == "not promoted: nobody answered in time"


def marked_failed_asking(event: Event) -> None:
    event.begin("asks", until=("approve", "awaiting_input"))
    event.airflow.mark(event.dag, event.run_id, "failed")


EVENTS: dict[str, Callable[[Event], None]] = {
    "its tasks end well": ends_well,
    "a task fails": fails,
    "marked success while a task works": marked("success"),
    "marked failed while a task works": marked("failed"),
    "deleted while a task works": deleted_while_working,
    "deleted after its end": deleted_after_its_end,
    "the working task is marked success": task_marked("success"),
    "the working task is marked failed": task_marked("failed"),
    "the working task is cleared": working_task_cleared,
    "a task is cleared after the end": task_cleared_after_the_end,
    "cleared as a whole after the end": cleared_after(ends_well),
    "cleared as a whole after it failed": cleared_after(fails),
    "its DAG is paused while a task works": paused,
    "its DAG is paused and unpaused": unpaused,
    "its `dagrun_timeout` passes while a task works": timed_out,
    "its `dagrun_timeout` passes while it waits for an answer": timed_out_asking,
    "approved the moment it asks": answered("Approve"),
    "rejected the moment it asks": answered("Reject"),
    "nobody answers in time": nobody_answers,
    "marked failed while it waits for an answer": marked_failed_asking,
}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, plain_server: PlainServer, migrate: Migrate) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("events")
    for name in ("dags", "orders"):
        (folder / name).mkdir()
    (folder / "dags" / "events.py").write_text(
        textwrap.dedent(DAGS).replace("__ORDERS__", repr(str(folder / "orders")))
    )
    project = write_project(folder / "lettings")
    environment = {
        **deployment_environment(folder / "var"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "KEDRO_PROJECT_PATH": str(project),
        "PYTHONPATH": str(project / "src"),
        "MLFLOW_TRACKING_URI": plain_server.address,
    }
    migrate(environment)
    airflow = Airflow(folder / "logs", environment)
    try:
        airflow.start("api-server", "scheduler", "dag-processor")
        for dag in ("works", "works_briefly", "asks", "asks_briefly", "ends"):
            airflow.wait(lambda dag=dag: airflow.has_dag(dag), within=WITHIN)
        yield airflow
    finally:
        airflow.stop(*reversed(list(airflow.processes)))


def test_the_page_has_every_event() -> None:
    assert [event for event, _, _ in PAGE] == list(EVENTS)


@pytest.mark.parametrize(("event", "state", "status"), PAGE, ids=[line[0] for line in PAGE])
def test_the_parent_says_what_became_of_it(
    airflow: Airflow, plain_server: PlainServer, event: str, state: str, status: str
) -> None:
    orders = Path(airflow.environment["AIRFLOW__CORE__DAGS_FOLDER"]).with_name("orders")
    of: Any = Event(airflow, MlflowClient(plain_server.address), orders, event)
    try:
        EVENTS[event](of)
        begin = time.monotonic()
        assert of.state() == state
        airflow.wait(lambda: of.status() == status, within=WITHIN)
        print(f"{event}: {time.monotonic() - begin:.0f} s")
    finally:
        of.order()
        of.pause(False)
