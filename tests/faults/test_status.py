"""A parent's status is true: the process beside a scheduler looks until a look succeeds, whatever was away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.deployment import deployment_environment
from tests.faults.proxy import Proxy, started
from tests.fixtures.stack import PlainServer
from tests.fixtures.templates import Migrate
from tracked_kedro.names import AIRFLOW_TAG, AIRFLOW_VARIABLE, DAG_ID_TAG, DAG_RUN_ID_TAG

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]
WITHIN = 180  # a bound for a busy machine; what is measured is printed


class Beside:
    """The process that looks, beside this one in the place of a scheduler, on an Airflow that knows no DAG run."""

    def __init__(self, var: Path, server: str, client: MlflowClient) -> None:
        self.var, self.client = var, client
        self.environment = {
            **os.environ,
            **deployment_environment(var),
            "MLFLOW_TRACKING_URI": server,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            f"AIRFLOW_VAR_{AIRFLOW_VARIABLE.upper()}": var.parent.name,
        }

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-W", "ignore", "-m", "tracked_kedro", "reconcile", "--beside", str(os.getpid())]
        with (self.var / "log").open("ab") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def parent(self) -> str:
        """A parent of a DAG run that has been deleted."""
        experiment = self.client.get_experiment_by_name(self.var.parent.name)
        found = experiment.experiment_id if experiment else self.client.create_experiment(self.var.parent.name)
        tags = {AIRFLOW_TAG: self.var.parent.name, DAG_ID_TAG: "rents", DAG_RUN_ID_TAG: "deleted"}
        return self.client.create_run(found, tags=tags).info.run_id

    def status(self, run_id: str) -> str:
        return self.client.get_run(run_id).info.status

    def health(self) -> dict[str, object]:
        file = self.var / "parents.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def until(self, holds: Callable[[], object]) -> float:
        begin = time.monotonic()
        while not holds():
            assert time.monotonic() < begin + WITHIN, (self.var / "log").read_text()
            time.sleep(0.2)
        return time.monotonic() - begin


@pytest.fixture
def proxy(plain_server: PlainServer) -> Iterator[Proxy]:
    with started(plain_server.address) as proxy:
        yield proxy


@pytest.fixture
def beside(tmp_path: Path, proxy: Proxy, plain_server: PlainServer, migrate: Migrate) -> Beside:
    beside = Beside(tmp_path / "var", proxy.address, MlflowClient(plain_server.address))
    beside.var.mkdir()
    migrate(beside.environment)
    return beside


def test_a_tracking_server_that_was_away_is_asked_until_it_answers(beside: Beside, proxy: Proxy):
    proxy.away = True
    run_id = beside.parent()
    with beside.running() as process:
        beside.until(lambda: beside.health().get("problem"))
        assert beside.health()["parents_out_of_step"] is None
        assert beside.status(run_id) == "RUNNING"
        proxy.away = False
        waited = beside.until(lambda: beside.status(run_id) == "KILLED")
        print(f"{waited:.0f} s after the server was back")
        beside.until(lambda: beside.health()["parents_out_of_step"] == 0)
        # One that ends later is found without any event; the first look was no last one.
        later = beside.parent()
        print(f"{beside.until(lambda: beside.status(later) == 'KILLED'):.0f} s after its DAG run was over")
        assert process.poll() is None


@pytest.mark.full
def test_what_ended_while_no_process_looked_is_found_by_the_next(beside: Beside):
    first = beside.parent()
    with beside.running() as process:
        beside.until(lambda: beside.status(first) == "KILLED")
        process.kill()
        process.wait()
        second = beside.parent()
    assert beside.status(second) == "RUNNING"
    with beside.running():
        beside.until(lambda: beside.status(second) == "KILLED")


@pytest.mark.full
def test_it_ends_with_its_scheduler(beside: Beside):
    command = [sys.executable, "-W", "ignore", "-m", "tracked_kedro", "reconcile", "--beside"]
    script = (
        f"import os, subprocess; process = subprocess.Popen({command!r} + [str(os.getpid())]); "
        "print(process.pid, flush=True); process.wait()"
    )
    scheduler = subprocess.Popen([sys.executable, "-c", script], env=beside.environment, stdout=subprocess.PIPE)
    assert scheduler.stdout is not None
    pid = int(scheduler.stdout.readline())
    beside.until(beside.health)
    scheduler.kill()
    scheduler.wait()
    scheduler.stdout.close()
    beside.until(lambda: not Path(f"/proc/{pid}").exists())
