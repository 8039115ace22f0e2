"""Room on the disk of a deployment: enough to begin with, and a little kept back for the end of a run that fills it."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import click

from tracked_kedro.kedro_side.locations import var_folder

#: What a run of a few series leaves there, twice over.
NEEDED = 64 * 2**20
# A store cannot even note that a run has failed without room for a page and a journal.
_KEPT_BACK = 4 * 2**20


def shortage() -> str | None:
    """What to tell of a disk that has no room for a run, in one line; None where it has."""
    free = shutil.disk_usage(var_folder()).free
    if free >= NEEDED:
        return None
    return (
        f"The disk of {var_folder()} is full: {NEEDED - free} bytes are missing ({free} are free, a run needs "
        f"{NEEDED}); remove something there, or choose another folder with VAR=<folder>"
    )


@contextlib.contextmanager
def kept_back():
    """Hold some room for as long as the body runs.

    with kept_back() as give_back: ... give_back()

    Raises:
        click.ClickException: there is none to begin with.
    """
    file = var_folder() / ".room"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    if missing := shortage():
        raise click.ClickException(missing)
    try:
        _fill(file)
        yield lambda: file.unlink(missing_ok=True)
    finally:
        file.unlink(missing_ok=True)


def _fill(file: Path) -> None:
    with file.open("wb") as stream, contextlib.suppress(OSError):  # some file systems cannot
        os.posix_fallocate(stream.fileno(), 0, _KEPT_BACK)
