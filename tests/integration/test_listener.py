"""DAG runs that end without their close task, under a real scheduler; what became of them is read from MLflow."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tests.deployment import deployment_environment
from tests.fixtures.real_airflow import Airflow
from tests.fixtures.stack import PlainServer
from tests.fixtures.templates import Migrate
from tracked_kedro.names import AIRFLOW_TAG, DAG_RUN_ID_TAG, DAG_RUN_URL_TAG, END_REASON_TAG, NOTE_TAG

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]
# Seconds from the end of the DAG run to that of its MLflow runs; a look comes four times a minute, on a busy machine
# rather later.
WITHIN = 180

# A task that works for long inside the parent, with a child run open; the rest is what every generated DAG has.
DAGS = """
from datetime import timedelta

from airflow.sdk import DAG, task
from tracked_kedro.dag import tasks
from tracked_kedro.parent_run import runs

KEDRO = {"pipeline": "rents", "parameters": {}}

@task
def work(**context):
    import time
    import mlflow

    def in_a_child():
        experiment = mlflow.active_run().info.experiment_id
        mlflow.start_run(experiment_id=experiment, nested=True, run_name="series")
        time.sleep(600)

    runs.in_parent(context["ti"].xcom_pull(task_ids="open_run"), in_a_child)

for dag_id, timeout in {"long": None, "limited": timedelta(seconds=60)}.items():
    with DAG(dag_id, schedule=None, dagrun_timeout=timeout, max_active_runs=6):
        opened = tasks.open_run(**KEDRO)
        opened >> work() >> tasks.close_run.override(trigger_rule="all_done")()
"""

DELETE = """
import sys
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select

with create_session() as session:
    session.delete(session.scalar(select(DagRun).where(DagRun.run_id == sys.argv[1])))
"""


class Deployment:
    """A real Airflow beside a tracking server."""

    def __init__(self, folder: Path, server: PlainServer, migrate: Migrate) -> None:
        self.server, self.client = server, MlflowClient(server.address)
        (folder / "dags").mkdir()
        (folder / "dags" / "long.py").write_text(textwrap.dedent(DAGS))
        self.environment = {
            **deployment_environment(folder / "var"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "MLFLOW_TRACKING_URI": server.address,
        }
        migrate(self.environment)
        self.airflow = Airflow(folder / "logs", self.environment)

    def working(self, dag: str, run_id: str) -> tuple[Run, Run]:
        """The parent and the open child of a DAG run, once both are there."""

        def both() -> tuple[Run, Run] | None:
            parent = self.parent(run_id)
            found = parent and self.runs(f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'")
            return (parent, found[0]) if parent and found else None

        return self.airflow.wait(both, within=150)

    def parent(self, run_id: str) -> Run | None:
        found = self.runs(f"tags.`{DAG_RUN_ID_TAG}` = '{run_id}'")
        return found[0] if found else None

    def runs(self, query: str) -> list[Run]:
        experiment = self.client.get_experiment_by_name("rents")
        return list(self.client.search_runs([experiment.experiment_id], query)) if experiment else []

    def statuses(self, *runs: Run) -> tuple[str, ...]:
        return tuple(self.client.get_run(run.info.run_id).info.status for run in runs)

    def ended(self, *runs: Run) -> tuple[str, ...]:
        """Statuses of runs as soon as none is RUNNING."""

        def over() -> tuple[str, ...] | None:
            now = self.statuses(*runs)
            return None if "RUNNING" in now else now

        return self.airflow.wait(over, within=WITHIN)

    def tag(self, run: Run, name: str) -> str | None:
        return self.client.get_run(run.info.run_id).data.tags.get(name)

    def reconcile(self) -> str:
        return self._python("-m", "tracked_kedro", "reconcile")

    def delete(self, run_id: str) -> None:
        """Delete a DAG run that is running, as `airflow dags test` and `airflow dags delete` do; the API refuses to."""
        self._python("-c", DELETE, run_id)

    def _python(self, *arguments: str) -> str:
        command = [sys.executable, "-W", "ignore", *arguments]
        done = subprocess.run(command, env=self.airflow.settings, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, plain_server: PlainServer, migrate: Migrate
) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path_factory.mktemp("listener"), plain_server, migrate)
    airflow = deployment.airflow
    try:
        airflow.start("api-server", "scheduler", "dag-processor")
        airflow.wait(lambda: airflow.has_dag("limited") and airflow.has_dag("long"), within=300)
        # Side by side: each takes a slot of the executor while its task sleeps.
        airflow.trigger("limited", "timed_out")
        for run_id in ("failed", "success", "unreachable"):
            airflow.trigger("long", run_id)
        yield deployment
    finally:
        airflow.stop(*reversed(list(airflow.processes)))


@pytest.mark.parametrize(("state", "parent_status"), [("failed", "FAILED"), ("success", "KILLED")])
def test_ended_by_a_person(deployment: Deployment, state: str, parent_status: str):
    parent, child = deployment.working("long", state)
    assert deployment.statuses(parent, child) == ("RUNNING", "RUNNING")
    deployment.airflow.mark("long", state, state)
    assert deployment.ended(parent, child) == (parent_status, "KILLED")
    assert deployment.tag(parent, END_REASON_TAG)
    assert deployment.airflow.state("long", state) == state
    page = f"{deployment.airflow.address}/dags/long/runs/{state}"
    assert deployment.tag(parent, DAG_RUN_URL_TAG) == page
    assert f"]({page})" in deployment.tag(parent, NOTE_TAG)


def test_every_task_has_buttons_to_its_run_and_the_report(deployment: Deployment):
    parent, _ = deployment.working("long", "failed")
    links = deployment.airflow.call("GET", "dags/long/dagRuns/failed/taskInstances/work/links")["extra_links"]
    to = "/to-mlflow"
    assert links == {
        "MLflow run": f"{to}/run/{parent.info.run_id}",
        "Report": f"{to}/report/{parent.info.run_id}",
        "Model version": None,
    }


def test_ended_by_the_time_out_of_its_dag_run(deployment: Deployment):
    parent, child = deployment.working("limited", "timed_out")
    deployment.airflow.wait(lambda: deployment.airflow.state("limited", "timed_out") == "failed", within=90)
    assert deployment.ended(parent, child) == ("FAILED", "KILLED")


@pytest.mark.full
def test_a_tracking_server_that_hangs_changes_nothing_in_airflow(deployment: Deployment):
    airflow = deployment.airflow
    parent, child = deployment.working("long", "unreachable")
    deployment.server.process.send_signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        airflow.mark("long", "unreachable", "failed")
        # A look waits for the server for ten seconds, and begins after two: whoever waited for it would take longer.
        assert time.monotonic() - begin < 10
        first = airflow.call("GET", "monitor/health")["scheduler"]["latest_scheduler_heartbeat"]
        time.sleep(12)  # as long as the first look waits for the server
        health = airflow.call("GET", "monitor/health")["scheduler"]
        assert health["status"] == "healthy"
        assert health["latest_scheduler_heartbeat"] > first
        assert airflow.state("long", "unreachable") == "failed"
    finally:
        deployment.server.process.send_signal(signal.SIGCONT)
    assert deployment.ended(parent, child) == ("FAILED", "KILLED")


def test_a_scheduler_that_was_killed_finds_what_ended_meanwhile(deployment: Deployment):
    airflow = deployment.airflow
    airflow.trigger("long", "deleted")
    parent, child = deployment.working("long", "deleted")
    airflow.stop("scheduler", number=signal.SIGKILL)
    # No listener is told of a deletion.
    deployment.delete("deleted")
    assert deployment.statuses(parent, child) == ("RUNNING", "RUNNING")
    airflow.start("scheduler")
    assert deployment.ended(parent, child) == ("KILLED", "KILLED")


@pytest.mark.full
def test_the_next_dag_run_ends_what_no_listener_saw(deployment: Deployment):
    airflow = deployment.airflow
    airflow.trigger("long", "deleted_too")
    parent, child = deployment.working("long", "deleted_too")
    other = deployment.client.create_run(
        parent.info.experiment_id, tags={DAG_RUN_ID_TAG: "of another Airflow", AIRFLOW_TAG: "another"}
    )
    deployment.delete("deleted_too")
    airflow.trigger("long", "next")
    following = deployment.working("long", "next")
    assert deployment.statuses(parent, child) == ("KILLED", "KILLED")
    assert deployment.statuses(*following, other) == ("RUNNING", "RUNNING", "RUNNING")
    deployment.client.delete_run(other.info.run_id)


@pytest.mark.full
def test_make_reconcile_ends_it_too_and_reports_it(deployment: Deployment):
    airflow = deployment.airflow
    airflow.trigger("long", "by_command")
    parent, child = deployment.working("long", "by_command")
    # Its listener, still busy with earlier ends, might be faster than the command.
    airflow.stop("scheduler", number=signal.SIGKILL)
    assert deployment.reconcile().startswith(
        "Every MLflow run that says RUNNING belongs to a DAG run that goes on: nothing was to be ended.\n"
    )
    deployment.delete("by_command")
    assert f"({parent.info.run_id}) is KILLED now: the DAG run was deleted" in deployment.reconcile()
    assert deployment.statuses(parent, child) == ("KILLED", "KILLED")


@pytest.mark.full
def test_dags_test_that_was_killed(deployment: Deployment):
    before = {run.info.run_id for run in deployment.runs(f"tags.`{DAG_RUN_ID_TAG}` IS NOT NULL")}
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow", "dags", "test", "long"],
        env=deployment.airflow.settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def opened() -> Run | None:
        found = deployment.runs(f"tags.`{MLFLOW_PARENT_RUN_ID}` IS NOT NULL AND attributes.status = 'RUNNING'")
        return next((run for run in found if run.data.tags[MLFLOW_PARENT_RUN_ID] not in before), None)

    try:
        child = deployment.airflow.wait(opened, within=90)
    finally:
        process.kill()
        process.wait(10)
    parent = deployment.client.get_run(child.data.tags[MLFLOW_PARENT_RUN_ID])
    assert deployment.statuses(parent, child) == ("RUNNING", "RUNNING")
    assert "`airflow dags test` ended before its DAG run did" in deployment.reconcile()
    assert deployment.statuses(parent, child) == ("KILLED", "KILLED")
