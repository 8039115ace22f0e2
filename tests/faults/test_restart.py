"""Restart after a crash: no task loses a try to a service that was not there."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.error import HTTPError

import pytest

from operations.native.api import AirflowApi
from operations.native.children import alive
from operations.native.ports import free_port
from tests.deployment import ROOT, deployment_environment
from tests.fixtures.real_airflow import Airflow
from tests.fixtures.stack import folder_for_postgres, stack_environment
from tests.fixtures.templates import Migrate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

WITHIN = 600  # seconds; a bound for a busy machine, not a measure

# What tells a DAG of this library is its first task; this one needs no tracking server.
DAG = """
from datetime import timedelta

from airflow.sdk import DAG, task

@task(retries=1, retry_delay=timedelta(seconds=1))
def open_run():
    pass

with DAG("tracked", schedule=None):
    open_run()
"""


def tries(database: Path) -> list[str]:
    with sqlite3.connect(database) as connection:
        return [row[0] for row in connection.execute("SELECT event FROM log WHERE task_id = 'open_run'")]


def test_tries_that_met_no_api_server_do_not_count(tmp_path: Path, migrate: Migrate):
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "tracked.py").write_text(textwrap.dedent(DAG))
    environment = {
        **deployment_environment(tmp_path / "var"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "1",
        "RETRAINING_PRELOAD": "0",
    }
    migrate(environment)
    airflow = Airflow(tmp_path / "logs", environment)
    database = Path(environment["AIRFLOW_HOME"]) / "airflow.db"
    try:
        airflow.start("api-server", "dag-processor")
        airflow.wait(lambda: airflow.has_dag("tracked"), within=300)
        airflow.trigger("tracked", "once")
        airflow.stop("api-server")
        airflow.start("scheduler")
        # One more than it has: with each of them counted, it would have failed by now.
        airflow.wait(lambda: tries(database).count("state mismatch") >= 3, within=300)
        airflow.start("api-server")
        airflow.wait(lambda: airflow.state("tracked", "once") in ("success", "failed"), within=300)
        assert airflow.state("tracked", "once") == "success"
        assert tries(database).count("running") == 1
    finally:
        airflow.stop(*reversed(list(airflow.processes)))


# Three tasks one after the other, each with one retry: one is running when the stack is killed, one has not begun.
CHAIN = """
from datetime import timedelta

from airflow.sdk import DAG, task

@task(retries=1, retry_delay=timedelta(seconds=1))
def work(seconds):
    import time
    time.sleep(seconds)

with DAG("tracked", schedule=None):
    work.override(task_id="open_run")(0) >> work.override(task_id="long")(20) >> work.override(task_id="last")(0)
"""


def until(holds: Callable[[], object]) -> object:
    deadline = time.monotonic() + WITHIN
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    return found


def started(environment: Mapping[str, str], output: Path) -> subprocess.Popen[bytes]:
    """`make native`, once it says that it is ready."""
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "operations", "native"],
            cwd=ROOT,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )

    def ready() -> bool:
        assert process.poll() is None, output.read_text()
        return "Ready after" in output.read_text()

    until(ready)
    return process


def test_a_native_stack_that_was_killed_goes_on_where_it_was(tmp_path: Path):
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "tracked.py").write_text(textwrap.dedent(CHAIN))
    output = tmp_path / "output"
    with folder_for_postgres() as folder:
        ports = {"AIRFLOW_PORT": str(free_port()), "MLFLOW_PORT": str(free_port())}
        dags = {"AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"), "READY_WITHIN": str(WITHIN)}
        environment = {**stack_environment(folder), **ports, **dags}
        process = started(environment, output)
        processes = folder / "var" / "native" / "processes"
        try:
            address, password = re.search(r"Airflow +(\S+) .*password (\S+)", output.read_text()).groups()
            api = AirflowApi(address, "admin", password)
            until(lambda: triggered(api))
            until(lambda: states(api).get("long") == "running")
            assert len(alive(processes)) > 8
            process.kill()
            process.wait()
            until(lambda: not alive(processes))
            process = started(environment, output)
            api = AirflowApi(address, "admin", password)
            assert api.wait("tracked", "once", WITHIN) == "success", states(api)
            assert states(api) == dict.fromkeys(("open_run", "long", "last"), "success")
            tries = {task["task_id"]: task["try_number"] for task in api.tasks("tracked", "once")}
            assert tries == {"open_run": 1, "long": 2, "last": 1}
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            assert alive(processes) == []
            assert (folder / "var" / "native" / "logs" / "scheduler.log.1").exists()
        finally:
            process.kill()
            process.wait()
            until(lambda: not alive(processes))


def triggered(api: AirflowApi) -> bool:
    try:
        api.trigger("tracked", "once", {})
    except HTTPError:
        return False  # not parsed yet
    return True


def states(api: AirflowApi) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in api.tasks("tracked", "once")}
