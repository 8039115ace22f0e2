"""Which child runs of a parent are finished, as small files in the run's data folder.

A tracking server can tell, but only by listing all children of the parent: for every task of a fleet that is a cost
that grows with the fleet. A file per child is looked up by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

import fsspec

from tracked_kedro.kedro_side.run_keys import file_name

LONGEST = 255  # bytes that a file system takes as a name


class ChildIndex:
    """Files that hold a run id, on any file system that fsspec knows: one a key, named by `file_name`."""

    def __init__(self, folder: str, parent_run_id: str) -> None:
        self._filesystem, path = fsspec.core.url_to_fs(folder)
        self._folder = str(PurePosixPath(path) / parent_run_id)

    def exists(self) -> bool:
        """Whether anything is noted here; costs the same whatever the number of notes."""
        self._filesystem.invalidate_cache()  # other tasks write too
        return bool(self._filesystem.exists(self._folder))

    def count(self) -> int:
        """How many child runs are finished, as far as is noted here."""
        return len(self._files())

    def all_run_ids(self) -> list[str]:
        """Run ids of all child runs that are noted."""
        return self._content(self._files())

    def run_ids(self, keys: Iterable[str]) -> list[str]:
        """Run ids of those of the keys that are noted."""
        return self._content([file for key in keys for file in self._names(key)])

    def _files(self) -> list[str]:
        self._filesystem.invalidate_cache()  # other tasks write too
        try:
            return [str(file) for file in self._filesystem.ls(self._folder, detail=False)]
        except FileNotFoundError:
            return []

    def _content(self, files: list[str]) -> list[str]:
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
        self._filesystem.pipe_file(self._names(key)[0], run_id.encode())

    def remove(self, key: str) -> None:
        """Forget a key, noted or not: its child run is to be written again."""
        for file in self._names(key):
            if self._filesystem.exists(file):
                self._filesystem.rm_file(file)

    def _names(self, key: str) -> list[str]:
        """The file of a key, and the one that 0.2.0 wrote where that was another."""
        name = file_name(key)
        was_one = key.strip(".") and not {"/", "\0"} & set(key) and len(key.encode()) <= LONGEST
        return [f"{self._folder}/{one}" for one in (name, *([key] if was_one and key != name else []))]
