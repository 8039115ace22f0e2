"""The note that a `make retrain` leaves which was killed, so that the next command ends what that one has begun."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from tracked_kedro.cli.locks import RETRAIN, is_held
from tracked_kedro.kedro_side.locations import var_folder


@contextlib.contextmanager
def noted(dag: str) -> Iterator[None]:
    """Note that a DAG is being run, for as long as the body; a process that is killed leaves the note."""
    with contextlib.suppress(OSError):  # a full disk; the run itself will tell
        _note().write_text(json.dumps({"dag": dag, "since": time.time()}))
    yield
    forget()


def forget() -> None:
    """Take the note away: what it is about has ended."""
    _note().unlink(missing_ok=True)


def end_left_over(mine: bool = False) -> bool:
    """End what a `make retrain` left that was killed.

    Args:
        mine: whether the caller holds the lock of `make retrain`.

    Returns:
        Whether there was something to end.
    """
    try:
        known = json.loads(_note().read_text())
    except (OSError, ValueError):
        return False
    if not mine and is_held(RETRAIN):
        return False
    # Not earlier: it imports Airflow and MLflow.
    from tracked_kedro.cli.interrupted import end

    end(known["dag"], known["since"], None, "KILLED", "its `make retrain` was killed")
    forget()
    return True


def _note() -> Path:
    return var_folder() / "retrain.running"
