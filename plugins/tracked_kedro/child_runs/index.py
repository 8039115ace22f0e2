"""Which child runs of a parent are finished, as small files in the run's data folder.

A tracking server can tell, but only by listing all children of the parent: for every task of a fleet that is a cost
that grows with the fleet. A file per child is looked up by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

import fsspec


class ChildIndex:
    """Files `<folder>/<parent run id>/<key>` that hold a run id, on any file system that fsspec knows."""

    def __init__(self, folder: str, parent_run_id: str) -> None:
        self._filesystem, path = fsspec.core.url_to_fs(folder)
        self._folder = str(PurePosixPath(path) / parent_run_id)

    def exists(self) -> bool:
        """Whether anything is noted here; costs the same whatever the number of notes."""
        self._filesystem.invalidate_cache()  # other tasks write too
        return bool(self._filesystem.exists(self._folder))

    def keys(self) -> set[str]:
        """Keys whose child run is finished, as far as is noted here."""
        self._filesystem.invalidate_cache()  # other tasks write too
        try:
            files = self._filesystem.ls(self._folder, detail=False)
        except FileNotFoundError:
            return set()
        return {PurePosixPath(str(file)).name for file in files}

    def run_ids(self, keys: Iterable[str]) -> list[str]:
        """Run ids of those of the keys that are noted."""
        files = [self._file(key) for key in keys]
        if not files:
            return []
        # By name, all at once: a listing grows with the fleet.
        found = list(self._filesystem.cat(files, on_error="return").values())
        for content in found:
            if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                raise content
        return [content.decode() for content in found if isinstance(content, bytes)]

    def add(self, key: str, run_id: str) -> None:
        """Note a child run; to be called before it is ended, so that none is finished and not noted."""
        self._filesystem.makedirs(self._folder, exist_ok=True)
        self._filesystem.pipe_file(self._file(key), run_id.encode())

    def remove(self, key: str) -> None:
        """Forget a key, noted or not: its child run is to be written again."""
        if self._filesystem.exists(self._file(key)):
            self._filesystem.rm_file(self._file(key))

    def _file(self, key: str) -> str:
        return f"{self._folder}/{key}"
