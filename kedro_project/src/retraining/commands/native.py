"""Start the production stack's stores as processes on free loopback ports, and stop them without a trace."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError
from urllib.request import urlopen

from retraining.commands.stores import Mlflow, ObjectStore, Postgres, Secrets
from retraining.commands.supervisor import Supervisor

READY_WITHIN = 120.0  # seconds; MLflow makes its tables in Postgres at the first start
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoreError(RuntimeError):
    """A store ended by itself or did not answer in time; the message holds the end of its log."""


@dataclass(frozen=True)
class Stores:
    """Stores that are running.

    Attributes:
        logs: folder of their logs, one file each.
    """

    postgres: Postgres
    objects: ObjectStore
    mlflow: Mlflow
    logs: Path

    def access_log(self) -> str:
        """The tracking server's log up to now; it has a line a request."""
        return (self.logs / "mlflow.log").read_text()


@contextlib.contextmanager
def started(folder: Path, databases: Sequence[str] = ("mlflow",)) -> Iterator[Stores]:
    """Postgres, an S3 server and an authenticated MLflow server, for as long as the body runs.

    Args:
        folder: where they keep their data, logs and secrets; started again on it, they have all of it again. Where
            root starts them, it must be one that others can reach: Postgres does not run as root.
        databases: names of databases in Postgres, each with a role of its own.

    Raises:
        MissingPartError: a program is missing on this machine.
        StoreError: a store does not start.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    known, logs = Secrets.of(folder), folder / "logs"
    postgres, objects = Postgres(folder / "postgres", known), ObjectStore(folder / "objects", known)
    mlflow = Mlflow(folder / "mlflow", known, postgres, objects)
    with contextlib.ExitStack() as stack:
        _run(stack, "postgres", postgres.command(), {}, logs, postgres.answers)
        _run(stack, "objects", objects.command(), objects.environment(), logs, objects.answers)
        for name in {"mlflow", *databases}:
            postgres.create(name)
        objects.create_bucket()
        _run(stack, "mlflow", mlflow.command(), mlflow.environment(), logs, lambda: _healthy(mlflow.address))
        yield Stores(postgres, objects, mlflow, logs)


def _run(
    stack: contextlib.ExitStack,
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    logs: Path,
    answers: Callable[[], bool],
) -> None:
    """Start one store, to be stopped with the stack, and wait until it answers.

    Each has a supervisor, for each has an environment: what one must know is nothing to the others.
    """
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "AWS_", "RCLONE", "PG"))
    }
    with signals_as_they_were():
        servers = stack.enter_context(Supervisor({name: command}, {**inherited, **environment}, logs))
    deadline = time.monotonic() + READY_WITHIN
    while not answers():
        if problem := servers.ended():
            raise StoreError(problem)
        if time.monotonic() > deadline:
            raise StoreError(f"The {name} did not answer within {READY_WITHIN:.0f} s; see {servers.log_file(name)}")
        time.sleep(0.1)


@contextlib.contextmanager
def signals_as_they_were() -> Iterator[None]:
    """Give signals back to the caller, who runs in this process; a SIGTERM must not leave stores behind."""
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


def _healthy(address: str) -> bool:
    try:
        with urlopen(f"{address}/health", timeout=2) as answer:  # noqa: S310  the address is made in stores.py
            return answer.status == 200
    except (URLError, OSError):
        return False
