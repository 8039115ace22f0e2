"""Files that the page keeps as long as there is room."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

_MOST_BYTES = 1_000_000_000


class Files:
    """Downloaded files in a folder that nobody else uses, up to a size; the least recently used ones go first."""

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._lock = threading.Lock()
        self._busy: dict[Path, threading.Lock] = {}

    def get(self, owner: str, path: str, download: Callable[[str, str], str]) -> str:
        """Path of a file, downloaded where it is not there.

        Args:
            owner: whose file it is, with a version: a file under the same name never changes.
            path: its path at the owner's.
            download: takes that path and a folder to write to, returns the path of the file written.
        """
        name = hashlib.sha256(f"{owner}/{path}".encode()).hexdigest()[:32]
        target = self._folder / f"{name}{Path(path).suffix}"
        with self._lock:
            busy = self._busy.setdefault(target, threading.Lock())
        with busy:
            if target.exists():
                os.utime(target)
                return str(target)
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                shutil.move(download(path, folder), target)
        self._make_room(target)
        return str(target)

    def _make_room(self, newest: Path) -> None:
        with self._lock:
            files = sorted((path for path in self._folder.iterdir() if path.is_file()), key=lambda p: p.stat().st_mtime)
            size = sum(path.stat().st_size for path in files)
            for path in files:
                if size <= self._most_bytes or path == newest:
                    return
                size -= path.stat().st_size
                # Who reads it at this moment still can.
                path.unlink()
                self._busy.pop(path, None)
