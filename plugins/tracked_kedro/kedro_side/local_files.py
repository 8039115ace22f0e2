"""Files on this machine, written in one step."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one; a write that fails leaves the old one and no litter."""
    # The name must not end as the file's own does: a folder's files of one suffix are its partitions.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
