"""Locks of a deployment folder: commands that would disturb each other do not run at once."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import click

from tracked_kedro.kedro_side.locations import var_folder

RETRAIN = "retrain"
UI = "ui"
NATIVE = "native"


@contextlib.contextmanager
def only_one(name: str, remedy: str) -> Iterator[None]:
    """Hold a lock while the body runs; the system lets go of it when the process ends, however it ends.

    Raises:
        click.ClickException: somebody else holds it; the message ends with the remedy.
    """
    with _file(name).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"`make {name}` is running in {var_folder()} already; {remedy}") from None
        yield


def is_held(name: str) -> bool:
    """Whether another process holds the lock.

    `operations.locations` asks the same: a doctor has to answer where this library cannot be imported yet.
    """
    with _file(name).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _file(name: str) -> Path:
    path = var_folder() / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
