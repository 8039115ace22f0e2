"""Starts the parts of the stack in order, waits until they answer, and stops all of them without a trace."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from operations.locations import NATIVE, PROCESSES
from operations.native.airflow import DATABASE, FIRST, Airflow
from operations.native.children import Children
from operations.native.errors import StackError
from operations.native.mlflow_server import Mlflow
from operations.native.object_store import ObjectStore
from operations.native.ports import free_port
from operations.native.postgres import Postgres
from operations.native.redis import Redis
from operations.native.secrets import Secrets
from operations.native.supervisor import Supervisor
from operations.native.waiting import not_in_time, ready_within

_PROCESSES = Path(PROCESSES[NATIVE]).name
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Stores:
    """Stores that are running.

    Attributes:
        logs: folder of their logs, one file each.
    """

    secrets: Secrets
    postgres: Postgres
    artifacts: ObjectStore
    data: ObjectStore
    mlflow: Mlflow
    logs: Path

    def access_log(self) -> str:
        """The tracking server's log up to now; it has a line a request."""
        return (self.logs / "mlflow.log").read_text()


@dataclass(frozen=True)
class Stack:
    """The whole stack, running.

    Attributes:
        environment: what Airflow's services run with; it holds secrets.
    """

    stores: Stores
    airflow: Airflow
    environment: Mapping[str, str] = field(repr=False)
    _parts: Sequence[Supervisor] = field(repr=False)

    def ended(self) -> str | None:
        """What to tell of a part that ended by itself; None while all of them run."""
        return next((problem for part in self._parts if (problem := part.ended())), None)

    def mend(self) -> list[str]:
        """Start parts anew that ended by themselves; what to tell of each. To be called again and again."""
        return [told for part in self._parts for told in part.mend()]

    def given_up(self) -> str | None:
        """What to tell of a part that ended too often to be started again; None where there is none."""
        return next((problem for part in self._parts if (problem := part.given_up())), None)

    def restart(self, name: str, number: int = signal.SIGTERM) -> None:
        """End one server (`postgres`, `mlflow`, `scheduler`, `worker-1`, …) by a signal, and start it anew."""
        next(part for part in self._parts if name in part).restart(name, number)


@contextlib.contextmanager
def started_stores(folder: Path) -> Iterator[Stores]:
    """Postgres, S3 stores for artifacts and data, and an authenticated MLflow server, while the body runs.

    Args:
        folder: where they keep their data, logs and secrets; started again on it, they have all of it again. Where
            root starts them, it must be one that others can reach: Postgres does not run as root.

    Raises:
        MissingPartError: a program is missing on this machine.
        SecretsError: a secret that lies in the folder is too weak.
        StackError: a store does not start.
    """
    with contextlib.ExitStack() as parts:
        started = parts.enter_context(Children(folder.absolute() / _PROCESSES))
        running, servers = _open_stores(parts, folder.absolute(), free_port(), started)
        _wait(servers[-1], "mlflow", running.mlflow.answers)
        yield running


@contextlib.contextmanager
def started_stack(
    folder: Path,
    environment: Mapping[str, str],
    airflow_port: int | None = None,
    mlflow_port: int | None = None,
    workers: int = 0,
) -> Iterator[Stack]:
    """The stores and Airflow's services, while the body runs.

    Args:
        folder: as for `started_stores`.
        environment: what the deployment gives to every process: paths, and what `defaults.env` says.
        airflow_port: loopback port of Airflow's pages and API; a free one by default.
        mlflow_port: loopback port of MLflow's pages and API; a free one by default.
        workers: how many Celery workers run the tasks; none means that the scheduler runs them (LocalExecutor).

    Raises:
        StackError: as for `started_stores`.
        click.ClickException: READY_WITHIN is no number of seconds.
    """
    with contextlib.ExitStack() as parts:
        started = parts.enter_context(Children(folder.absolute() / _PROCESSES))
        environment = {**environment, **started.environment}
        kept, running = _open_stores(parts, folder.absolute(), mlflow_port or free_port(), started)
        redis = Redis(folder.absolute() / "redis", kept.secrets) if workers else None
        home, port = folder.absolute() / "airflow", airflow_port or free_port()
        airflow = Airflow(home, kept.secrets, kept.postgres, kept.data, kept.mlflow, port, redis)
        settings = airflow.environment(environment)
        # MLflow makes its tables meanwhile.
        airflow.prepare(settings, kept.logs / "airflow-prepare.log")
        _wait(running[-1], "mlflow", kept.mlflow.answers)
        launch = partial(_launch, parts, logs=kept.logs, started=started)
        if redis:
            running.append(launch({"redis": redis.command()}, {"redis": _without_secrets_of_others()}))
            _wait(running[-1], "redis", redis.answers)
        # A task that begins before the API server answers has lost a try without having done anything.
        commands = airflow.commands()
        own = {name: airflow.environment(environment, name) for name in commands}
        running.append(launch({FIRST: commands.pop(FIRST)}, own))
        _wait(running[-1], FIRST, airflow.takes_tasks)
        for name in (f"worker-{number + 1}" for number in range(workers)):
            command, known = airflow.worker(name, environment)
            running.append(launch({name: command}, {name: known}))
            _wait(running[-1], name, partial(_is_ready, running[-1].log_file(name)))
        begin = time.time()
        running.append(launch(commands, own))
        _wait(running[-1], "Airflow services", lambda: airflow.answers(begin))
        yield Stack(kept, airflow, settings, running)


def _open_stores(
    parts: contextlib.ExitStack, folder: Path, mlflow_port: int, started: Children
) -> tuple[Stores, list[Supervisor]]:
    """Start the stores; all but MLflow, the slowest and last, answer on return."""
    folder.mkdir(parents=True, exist_ok=True)
    known, logs = Secrets.of(folder), folder / "logs"
    postgres = Postgres(folder / "postgres", known)
    artifacts = ObjectStore(folder / "artifacts", "mlflow", known.artifacts_key, known.artifacts_secret)
    data = ObjectStore(folder / "data", "data", known.data_key, known.data_secret)
    mlflow = Mlflow(folder / "mlflow", known, postgres, artifacts, mlflow_port)
    inherited = _without_secrets_of_others()
    launch = partial(_launch, parts, logs=logs, started=started)
    running = [launch({"postgres": postgres.command()}, {"postgres": inherited})]
    for name, store in {"artifacts": artifacts, "data": data}.items():
        running.append(launch({name: store.command()}, {name: {**inherited, **store.environment()}}))
        _wait(running[-1], name, store.answers)
        store.create_bucket()
    _wait(running[0], "postgres", postgres.answers)
    for name in ("mlflow", DATABASE):
        postgres.create(name)
    running.append(launch({"mlflow": mlflow.command()}, {"mlflow": {**inherited, **mlflow.environment()}}))
    return Stores(known, postgres, artifacts, data, mlflow, logs), running


def _without_secrets_of_others() -> dict[str, str]:
    """This process's environment; each store is told its own settings, and what one must know is nothing to others."""
    foreign = ("MLFLOW", "AWS_", "RCLONE", "PG", "AIRFLOW")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}


def _launch(
    parts: contextlib.ExitStack,
    commands: Mapping[str, Sequence[str]],
    environments: Mapping[str, Mapping[str, str]],
    logs: Path,
    started: Children,
) -> Supervisor:
    """Start servers, each with an environment of its own, to be stopped with the stack."""
    with signals_as_they_were():
        servers = parts.enter_context(Supervisor(commands, environments, logs, started))
    if servers.stopping:
        # Ctrl-C while the supervisor held the signals: it has only noted it.
        signal.raise_signal(signal.SIGINT)
    return servers


def _wait(servers: Supervisor, name: str, answers: Callable[[], bool]) -> None:
    within = ready_within()
    deadline = time.monotonic() + within
    while not answers():
        if problem := servers.ended():
            raise StackError(problem)
        if time.monotonic() > deadline:
            raise StackError(not_in_time(name, within, servers.logs))
        time.sleep(0.1)


def _is_ready(log: Path) -> bool:
    """Whether a Celery worker has said so."""
    return " ready." in log.read_text(errors="replace")


@contextlib.contextmanager
def signals_as_they_were() -> Iterator[None]:
    """Give signals back to the caller, who runs in this process; a SIGTERM must not leave servers behind."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                left_open = number != signal.SIGINT and handler is signal.SIG_DFL
                signal.signal(number, _exit if left_open else handler)


def _exit(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)
