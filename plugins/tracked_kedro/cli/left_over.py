"""Notes of commands that run DAGs: one that was killed leaves its note, and the next command ends what it has begun."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from tracked_kedro.cli.locks import RETRAIN, UI, is_held
from tracked_kedro.kedro_side.locations import var_folder


@contextlib.contextmanager
def noted(dag: str) -> Iterator[None]:
    """Note that `make retrain` runs a DAG, for as long as the body; a process that is killed leaves the note."""
    _write(RETRAIN, {"dag": dag})
    yield
    forget()


def note_scheduler() -> None:
    """Note that `make ui` has a scheduler; it takes the note away (`forget`) when it has ended its DAG runs."""
    _write(UI, {})


def forget(command: str = RETRAIN) -> None:
    """Take the note away: what it is about has ended."""
    _note(command).unlink(missing_ok=True)


def end_left_over(holding: str | None = None) -> bool:
    """End what a `make retrain` or `make ui` left that was killed.

    Args:
        holding: the lock that the caller holds, that of `make retrain` or `make ui`.

    Returns:
        Whether there was something to end.
    """
    retraining, scheduler = (_left(command, holding) for command in (RETRAIN, UI))
    # Not earlier: they import Airflow and MLflow.
    if retraining is not None:
        from tracked_kedro.cli.interrupted import end

        end(retraining["dag"], retraining["since"], None, "KILLED", "its `make retrain` was killed")
        forget(RETRAIN)
    if scheduler is not None:
        from tracked_kedro.cli.ended_scheduler import end_its_runs

        end_its_runs("its `make ui` was killed")
        forget(UI)
    return retraining is not None or scheduler is not None


def _left(command: str, holding: str | None) -> dict | None:
    """The note of a command that does not run any more."""
    try:
        known = json.loads(_note(command).read_text())
    except (OSError, ValueError):
        return None
    return None if command != holding and is_held(command) else known


def _write(command: str, about: dict[str, str]) -> None:
    with contextlib.suppress(OSError):  # a full disk; the run itself will tell
        _note(command).write_text(json.dumps({**about, "since": time.time()}))


def _note(command: str) -> Path:
    return var_folder() / f"{command}.running"
