"""What a task of a hosted project reads of the project's own files, by content: a repetition compares with that."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tracked_kedro.guest.artifacts import stored


def input_files(project: Path, dataset: Any) -> dict[str, str]:
    """SHA-256 of each file that a dataset reads, by its path in the project; empty where it lies elsewhere.

    Args:
        project: folder of the project.
        dataset: of its catalog.
    """
    if (found := stored(dataset)) is None or "file" not in found[0].protocol:
        return {}
    place = Path(found[1])
    if not place.is_relative_to(project):
        return {}
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(project).as_posix(): file_digest(path) for path in files}


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
