"""`make ui`: Airflow's and MLflow's own web pages over this deployment's stores, on loopback, until Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from operations.locations import PROCESSES, var_folder
from operations.native.airflow import FIRST, SERVICES, USER
from operations.native.children import Children
from operations.native.health import airflow_is_ready, body, takes_tasks
from operations.native.mlflow_server import ALLOWED_HOSTS
from operations.native.ports import HOST, wanted_port
from operations.native.supervisor import Supervisor
from operations.native.waiting import not_in_time, ready_within
from tracked_kedro.cli.caller import end_with_make
from tracked_kedro.cli.ended_scheduler import Outcome, end_its_runs
from tracked_kedro.cli.left_over import end_left_over, forget, note_scheduler
from tracked_kedro.cli.locks import UI, only_one
from tracked_kedro.cli.signals import Interruption
from tracked_kedro.errors import classified

# Where the buttons of Airflow's pages find MLflow's; known to the plugin under this name too.
MLFLOW_UI = "RETRAINING_MLFLOW_UI"


def serve() -> int:
    """Serve until a signal comes.

    Returns:
        Exit code: 130 after Ctrl-C, 143 after SIGTERM, 129 where the terminal was closed, 1 when a server ended by
        itself or did not answer.

    Raises:
        click.ClickException: the deployment is not prepared, or no port can be had.
    """
    if not os.environ.get("AIRFLOW_HOME"):
        raise click.ClickException("AIRFLOW_HOME is not set; start with `make ui`, which sets the environment")
    with only_one(UI, "open the addresses that it has printed"):
        end_with_make()
        problem, number = _serve()
        outcome = _end_runs(_reason(number))
    _say(problem or "Airflow and MLflow have ended.", err=bool(problem))
    if outcome.ended:
        _say(f"DAG runs that were at work have ended with them: {outcome.ended}")
    if outcome.waiting:
        _say(f"DAG runs that had not begun, or wait for an answer, go on at the next start: {outcome.waiting}")
    state = "failed" if problem else "interrupted"
    _say(f"ui: state={state} dag_runs_ended={outcome.ended} dag_runs_waiting={outcome.waiting}")
    return 1 if problem or number is None else 128 + number


def _end_runs(reason: str) -> Outcome:
    """End what was at work in the scheduler, which has ended."""
    try:
        outcome = end_its_runs(reason) if _anything_is_open() else Outcome(0, 0)
    except Exception as error:  # noqa: BLE001  whatever it is, the next command ends the rest
        _say(f"DAG runs could not be ended ({classified(error)}); the next command does it", err=True)
        return Outcome(0, 0)
    forget(UI)
    return outcome


def _reason(number: int | None) -> str:
    """Why DAG runs have ended, for their parent runs."""
    return f"`make ui` was ended: {Interruption(number)}" if number else "a server of `make ui` ended"


def _anything_is_open() -> bool:
    """Whether the embedded database holds a DAG run that has not ended: importing Airflow for none takes seconds."""
    file = Path(os.environ["AIRFLOW_HOME"]) / "airflow.db"
    if not file.exists():
        return bool(os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"))
    try:
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
            query = "SELECT 1 FROM dag_run WHERE state IN ('running', 'queued') LIMIT 1"
            return connection.execute(query).fetchone() is not None
    except sqlite3.Error:
        return True


def _say(text: str, err: bool = False) -> None:
    """Print, where somebody may still read it."""
    with contextlib.suppress(OSError):
        click.echo(text, err=err)


def _serve() -> tuple[str | None, int | None]:
    """What went wrong, and the signal that ended it."""
    airflow, password = _airflow(), _password(Path(os.environ["AIRFLOW_HOME"]))
    mlflow, mlflow_command = _mlflow()
    commands = {part: [sys.executable, "-m", "airflow", part, *options] for part, options in SERVICES.items()}
    first = {name: command for name, command in commands.items() if name == FIRST} | mlflow_command
    others = {name: command for name, command in commands.items() if name != FIRST}
    click.echo("Starting Airflow and MLflow ...")
    environment = {MLFLOW_UI: mlflow, **os.environ, **_airflow_settings(airflow)}
    with contextlib.ExitStack() as parts:
        started = parts.enter_context(Children(var_folder() / PROCESSES[UI]))
        # Not before the processes of an earlier start have ended.
        end_left_over(UI)
        note_scheduler()

        def launch(commands: dict[str, list[str]]) -> Supervisor:
            servers = Supervisor(commands, dict.fromkeys(commands, environment), var_folder() / "logs", started)
            return parts.enter_context(servers)

        # A task that begins before the API server answers has lost a try without having done anything.
        running = [launch(first)]
        problem = _wait(
            running, {"Airflow": lambda: takes_tasks(airflow), "MLflow": lambda: bool(body(f"{mlflow}/health"))}
        )
        if problem is None and not _stopping(running):
            begin = time.time()
            running.append(launch(others))
            problem = _wait(running, {"Airflow": lambda: airflow_is_ready(airflow, begin)})
        if problem is None and not _stopping(running):
            click.echo(f"\n  Airflow  {airflow}   user {USER}, password {password}")
            # MLflow opens with its pages on language models; this is the list of experiments.
            click.echo(f"  MLflow   {mlflow}/#/experiments?workflowType=machine_learning\n")
            click.echo("  Unpausing a DAG starts the newest month that is due; your own run need not wait for it.\n")
            click.echo(f"Ready. Ctrl-C ends both; their logs are in {var_folder() / 'logs'}")
        while problem is None and not _stopping(running):
            time.sleep(0.3)
            problem = _ended(running)
        _say("Stopping ...")
    return problem, next((servers.signal for servers in running if servers.signal), None)


def _stopping(running: list[Supervisor]) -> bool:
    return any(servers.stopping for servers in running)


def _ended(running: list[Supervisor]) -> str | None:
    return next((problem for servers in running if (problem := servers.ended())), None)


def _airflow() -> str:
    return f"http://{HOST}:{wanted_port('AIRFLOW_PORT', 8080)}"


def _airflow_settings(address: str) -> dict[str, str]:
    # Secret keys are Airflow's own: generated into airflow.cfg (mode 0600) when the deployment was prepared.
    return {
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": address.rpartition(":")[2],
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",  # SQLite takes one writer at a time
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(Path(os.environ["AIRFLOW_HOME"]) / PASSWORDS),
    }


def _mlflow() -> tuple[str, dict[str, list[str]]]:
    """Address of MLflow's pages, and the command that serves them unless a tracking server does already."""
    store = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{var_folder() / 'mlflow' / 'mlflow.db'}"
    if store.startswith(("http://", "https://")):
        return store.rstrip("/"), {}
    port = wanted_port("MLFLOW_PORT", 5050)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    # The folder itself, not the server's proxy for it: runs are logged without a server, into the same folder.
    command += ["--backend-store-uri", store, "--no-serve-artifacts"]
    command += ["--default-artifact-root", (var_folder() / "mlflow" / "artifacts").as_uri()]
    command += ["--allowed-hosts", ALLOWED_HOSTS]
    return f"http://{HOST}:{port}", {"mlflow": command}


PASSWORDS = "passwords.json"


def _password(home: Path) -> str:
    """The user's password: generated once a deployment, kept where only its owner can read it."""
    file = home / PASSWORDS
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps({USER: secrets.token_urlsafe(12)}))
    try:
        return json.loads(file.read_text())[USER]
    except (ValueError, KeyError, TypeError) as error:
        raise click.ClickException(
            f"{file} holds no password of {USER!r}; remove the file, and a new one is made"
        ) from error


def _wait(running: list[Supervisor], ready: dict[str, Callable[[], bool]]) -> str | None:
    """Wait until all are ready; what went wrong, None where nothing did."""
    within = ready_within()
    deadline = time.monotonic() + within
    waiting = dict(ready)
    while waiting and not _stopping(running):
        if problem := _ended(running):
            return problem
        if time.monotonic() > deadline:
            return not_in_time(" and ".join(waiting), within, var_folder() / "logs")
        time.sleep(0.3)
        waiting = {name: answers for name, answers in waiting.items() if not answers()}
    return None
