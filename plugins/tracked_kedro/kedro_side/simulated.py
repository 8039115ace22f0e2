"""Made-up data: how a folder of it is told from real files, and what pictures and tags call it."""

from __future__ import annotations

from pathlib import Path

#: A file of this name marks a folder of made-up data.
MARKER = "SIMULATED_SAMPLE.txt"
#: What people read.
SIMULATED = "simulated sample"


def is_simulated(folder: Path | str) -> bool:
    """Whether a folder holds made-up data."""
    return (Path(folder) / MARKER).is_file()
