"""Where a deployment keeps its files, for commands that run on the standard library alone."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

#: Locks under the deployment's folder, held while that command runs. `tracked_kedro.cli.locks` takes them, and has an
#: `is_held` and a folder of its own: it cannot be imported here, before the environment is installed, nor this there.
UI, NATIVE = "ui", "native"
#: Where each of these notes whom it has started.
PROCESSES = {UI: "ui-processes", NATIVE: "native/processes"}


def var_folder() -> Path:
    """Folder for everything that is made at run time: RETRAINING_VAR, else `var/` of this checkout."""
    return Path(os.environ.get("RETRAINING_VAR") or Path(__file__).resolve().parents[1] / "var").absolute()


def backup_file(what: str = "backup") -> Path:
    """File for a backup that is begun now, where nobody names another."""
    return var_folder() / "backups" / time.strftime(f"{what}-%Y%m%d-%H%M%S.tar")


def is_held(name: str) -> bool:
    """Whether another process holds the lock."""
    path = var_folder() / f"{name}.lock"
    if not path.exists():
        return False
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
