"""Which Postgres runs on a folder. Standard library only, for `make doctor` asks it, too."""

from __future__ import annotations

import os
from pathlib import Path

LOCK = "postmaster.pid"


def postmaster(data: Path) -> int | None:
    """Process id of the server that runs on a data folder; None where none does, whatever its lock file says."""
    try:
        pid = int((data / LOCK).read_text().splitlines()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return None
    return pid if os.fsencode(data) in command else None
