"""Ctrl-C, a closed terminal, `kill -9` in `make retrain` and `make ui`, a full disk: nothing runs on or lies."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import psutil
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tests.deployment import deployment_environment
from tests.fixtures.rents import write_project
from tests.fixtures.templates import EmptyStore, Migrate
from tests.fixtures.ui import free_port
from tracked_kedro.names import END_REASON_TAG

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]
WITHIN = 300  # seconds; a bound for a busy machine

# What each generated DAG has; its work waits, with a child run open, or fills the disk.
DAG = """
import os
from pathlib import Path

from airflow.sdk import DAG, task
from tracked_kedro.dag import tasks
from tracked_kedro.parent_run import runs

KEDRO = {"pipeline": "rents", "parameters": {}}

@task
def work(**context):
    import time
    import mlflow

    def in_a_child():
        mlflow.start_run(experiment_id=mlflow.active_run().info.experiment_id, nested=True, run_name="series")
        if "FILL" in os.environ:
            with Path(os.environ["RETRAINING_VAR"], "filling").open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        time.sleep(600)

    runs.in_parent(context["ti"].xcom_pull(task_ids="open_run"), in_a_child)

with DAG("rents", schedule=None, params={"cutoff": None}):
    opened = tasks.open_run(**KEDRO)
    opened >> work() >> tasks.close_run.override(trigger_rule="all_done")()
"""


class Retraining:
    """`make retrain` on a folder of its own; MLflow and Airflow are in SQLite."""

    def __init__(self, folder: Path, var: Path) -> None:
        self.folder, self.var = folder, var
        self.output = folder / "output"
        (folder / "dags").mkdir()
        (folder / "dags" / "rents_dag.py").write_text(textwrap.dedent(DAG))
        project = write_project(folder / "lettings")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MLFLOW"))},
            **deployment_environment(var),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "KEDRO_PROJECT_PATH": str(project),
            "PYTHONPATH": str(project / "src"),
        }
        self.command = [sys.executable, "-m", "tracked_kedro", "retrain", "--dag", "rents"]

    def started(self, **settings: str) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as stream:
            return subprocess.Popen(
                self.command,
                env={**self.environment, **settings},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def working(self) -> tuple[Run, Run]:
        """The parent and the open child, once both are there."""
        client = MlflowClient(self.environment["MLFLOW_TRACKING_URI"])

        def both() -> tuple[Run, Run] | None:
            assert self.processes(), self.output.read_text()
            experiment = client.get_experiment_by_name("rents")
            found = client.search_runs([experiment.experiment_id]) if experiment else []
            children = [run for run in found if MLFLOW_PARENT_RUN_ID in run.data.tags and run.info.status == "RUNNING"]
            by_id = {run.info.run_id: run for run in found}
            return (by_id[children[0].data.tags[MLFLOW_PARENT_RUN_ID]], children[0]) if children else None

        return self.until(both)

    def until(self, holds: Callable[[], object]):
        deadline = time.monotonic() + WITHIN
        while not (found := holds()):
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.2)
        return found

    def status(self, run: Run) -> str:
        return self.now(run).info.status

    def now(self, run: Run) -> Run:
        return MlflowClient(self.environment["MLFLOW_TRACKING_URI"]).get_run(run.info.run_id)

    def dag_runs(self) -> list[str]:
        with contextlib.closing(sqlite3.connect(Path(self.environment["AIRFLOW_HOME"]) / "airflow.db")) as connection:
            return [row[0] for row in connection.execute("SELECT state FROM dag_run ORDER BY id")]

    def tasks(self) -> set[str]:
        with contextlib.closing(sqlite3.connect(Path(self.environment["AIRFLOW_HOME"]) / "airflow.db")) as connection:
            return {row[0] for row in connection.execute("SELECT state FROM task_instance")}

    def processes(self) -> list[int]:
        """Who runs on this folder."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = process.environ().get("RETRAINING_VAR") == str(self.var)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
        return found


C = TypeVar("C", bound=Retraining)


@contextlib.contextmanager
def prepared(command: C, migrate: Migrate, empty_store: EmptyStore) -> Iterator[C]:
    """With the stores that it needs; whatever is left of it ends."""
    empty_store(command.var)
    migrate(command.environment)
    yield command
    for pid in command.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def retraining(tmp_path: Path, migrate: Migrate, empty_store: EmptyStore) -> Iterator[Retraining]:
    with prepared(Retraining(tmp_path, tmp_path / "var"), migrate, empty_store) as retraining:
        yield retraining


def ended(retraining: Retraining, parent: Run, child: Run, reason: str) -> None:
    assert retraining.processes() == []
    assert (retraining.status(parent), retraining.status(child)) == ("KILLED", "KILLED")
    assert retraining.now(parent).data.tags[END_REASON_TAG] == reason
    assert set(retraining.dag_runs()) == {"failed"}
    assert "running" not in retraining.tasks()
    assert not (retraining.var / "retrain.running").exists()


@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (signal.SIGINT, 130, "interrupted: Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, "interrupted: SIGTERM", marks=pytest.mark.full),
    ],
)
def test_a_signal_ends_all_of_it(retraining: Retraining, number: int, code: int, reason: str):
    process = retraining.started()
    parent, child = retraining.working()
    begin = time.monotonic()
    process.send_signal(number)
    assert process.wait(WITHIN) == code, retraining.output.read_text()
    print(f"{time.monotonic() - begin:.0f} s until nothing runs and all is told")
    ended(retraining, parent, child, reason)
    last = retraining.output.read_text().splitlines()[-1]
    assert re.match(rf"retrain: state=interrupted parent_run_id={parent.info.run_id} tracking_uri=\S+$", last)


@pytest.mark.full
def test_a_closed_terminal_ends_all_of_it(retraining: Retraining):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(retraining.command[0], retraining.command, retraining.environment)
    parent, child = retraining.working()
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    ended(retraining, parent, child, "interrupted: its terminal was closed")


@pytest.mark.full
def test_after_kill_9_children_end_and_the_next_command_ends_the_parent(retraining: Retraining):
    process = retraining.started()
    parent, child = retraining.working()
    process.kill()
    process.wait()
    retraining.until(lambda: not retraining.processes())
    assert retraining.status(parent) == "RUNNING"
    done = subprocess.run(
        [sys.executable, "-m", "tracked_kedro", "reconcile"], env=retraining.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (retraining.status(parent), retraining.status(child)) == ("KILLED", "KILLED")
    assert set(retraining.dag_runs()) == {"failed"}
    assert not (retraining.var / "retrain.running").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", folder]).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.full
def test_a_disk_that_fills_is_one_line_and_the_parent_failed(
    tmp_path: Path, small_disk: Path, migrate: Migrate, empty_store: EmptyStore
):
    retraining = Retraining(tmp_path, small_disk / "var")
    empty_store(retraining.var)
    migrate(retraining.environment)
    process = retraining.started(FILL="1")
    parent, child = retraining.working()
    assert process.wait(WITHIN) == 1, retraining.output.read_text()
    said = retraining.output.read_text()
    print(said)
    (line,) = [line for line in said.splitlines() if line.startswith("The disk of ")]
    assert re.search(rf"The disk of {retraining.var} is full: \d+ bytes are missing", line)
    assert "Traceback" not in said
    assert "retrain: state=failed" in said
    assert retraining.processes() == []
    assert retraining.status(parent) == "FAILED"
    assert retraining.status(child) in ("FAILED", "KILLED")
    assert set(retraining.dag_runs()) == {"failed"}
    # And what begins on a full disk does not begin.
    process = retraining.started()
    assert process.wait(WITHIN) == 1
    assert "bytes are missing" in retraining.output.read_text().splitlines()[-1]
    assert len(retraining.dag_runs()) == 1


ASKS = """
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG

with DAG("asks", schedule=None):
    ApprovalOperator(task_id="approve", subject="Shall it?")
"""


class Ui(Retraining):
    """`make ui` on a folder of its own, with a DAG run at work in its scheduler and one that asks a person."""

    def __init__(self, folder: Path, var: Path) -> None:
        super().__init__(folder, var)
        (folder / "dags" / "asks_dag.py").write_text(textwrap.dedent(ASKS))
        self.command = [sys.executable, "-m", "operations", "ui"]
        self.environment |= {
            "AIRFLOW_PORT": str(free_port()),
            "MLFLOW_PORT": str(free_port()),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        }

    def ready(self) -> None:
        self.until(lambda: "Ready." in self.output.read_text(errors="replace") or not self.processes())
        assert "Ready." in self.output.read_text(errors="replace"), self.output.read_text(errors="replace")
        for dag in ("asks", "rents"):
            command = [sys.executable, "-m", "airflow", "dags", "trigger", dag, "--run-id", f"by_{dag}"]

            def triggered(command: list[str] = command) -> bool:
                return subprocess.run(command, env=self.environment, capture_output=True).returncode == 0

            self.until(triggered)
        self.until(lambda: self.states("asks") == {("running", "awaiting_input")})

    def states(self, dag: str) -> set[tuple[str, str]]:
        query = (
            "SELECT dag_run.state, task_instance.state FROM dag_run JOIN task_instance "
            "ON dag_run.dag_id = task_instance.dag_id AND dag_run.run_id = task_instance.run_id "
            "WHERE dag_run.dag_id = ?"
        )
        with contextlib.closing(sqlite3.connect(Path(self.environment["AIRFLOW_HOME"]) / "airflow.db")) as connection:
            return set(connection.execute(query, (dag,)))


@pytest.fixture
def ui(tmp_path: Path, migrate: Migrate, empty_store: EmptyStore) -> Iterator[Ui]:
    with prepared(Ui(tmp_path, tmp_path / "var"), migrate, empty_store) as ui:
        yield ui


def ended_with_its_scheduler(ui: Ui, parent: Run, child: Run, reason: str) -> None:
    assert ui.processes() == []
    assert (ui.status(parent), ui.status(child)) == ("KILLED", "KILLED")
    assert ui.now(parent).data.tags[END_REASON_TAG] == reason
    assert {state for state, _ in ui.states("rents")} == {"failed"}
    assert not {"running", "queued", "scheduled"} & {state for _, state in ui.states("rents")}
    # A question to a person has lost nothing, and is asked on at the next start.
    assert ui.states("asks") == {("running", "awaiting_input")}
    assert not (ui.var / "ui.running").exists()


@pytest.mark.full
@pytest.mark.parametrize(("number", "code", "word"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_signal_to_make_ui_ends_what_is_at_work_in_its_scheduler(ui: Ui, number: int, code: int, word: str):
    process = ui.started()
    ui.ready()
    parent, child = ui.working()
    begin = time.monotonic()
    process.send_signal(number)
    assert process.wait(WITHIN) == code, ui.output.read_text()
    print(f"{time.monotonic() - begin:.0f} s until nothing runs and all is told")
    ended_with_its_scheduler(ui, parent, child, f"`make ui` was ended: {word}")
    assert ui.output.read_text().splitlines()[-1] == "ui: state=interrupted dag_runs_ended=1 dag_runs_waiting=1"


@pytest.mark.full
def test_the_closed_terminal_of_make_ui(ui: Ui):
    output = ui.output.open("wb")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(ui.command[0], ui.command, ui.environment)
    closing = threading.Event()
    copying = threading.Thread(target=_copy, args=(terminal, output, closing), daemon=True)
    copying.start()
    ui.ready()
    parent, child = ui.working()
    os.kill(pid, signal.SIGSTOP)  # so that nothing is written to the terminal while it is closed
    closing.set()
    copying.join()  # a terminal that somebody reads from stays open
    os.close(terminal)
    os.kill(pid, signal.SIGCONT)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    ended_with_its_scheduler(ui, parent, child, "`make ui` was ended: its terminal was closed")


def _copy(terminal: int, output: BinaryIO, closing: threading.Event) -> None:
    with contextlib.suppress(OSError), output:
        while not closing.is_set():
            if select.select([terminal], [], [], 0.1)[0]:
                output.write(os.read(terminal, 65536))
                output.flush()


@pytest.mark.full
def test_after_kill_9_of_make_ui_its_processes_end_and_the_next_command_ends_the_rest(ui: Ui):
    process = ui.started()
    ui.ready()
    parent, child = ui.working()
    process.kill()
    process.wait()
    begin = time.monotonic()
    ui.until(lambda: not ui.processes())
    print(f"{time.monotonic() - begin:.0f} s until nothing runs")
    assert ui.status(parent) == "RUNNING"
    done = subprocess.run(
        [sys.executable, "-m", "tracked_kedro", "reconcile"], env=ui.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ended_with_its_scheduler(ui, parent, child, "its `make ui` was killed")
