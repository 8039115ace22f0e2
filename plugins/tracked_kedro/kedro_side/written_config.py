"""Configuration files as they are written, parsed once a process: nothing that was resolved is remembered.

Parsing takes a task longer than anything else that Kedro does before its nodes. What a file says does not depend on
who asks, so a process keeps it, and a task that is forked of it inherits it. What `${…}` in it stands for does depend
on the environment and on runtime parameters: that is resolved anew by each loader.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

#: Path, inode, size, and the moments of the last change of content and of anything else, in nanoseconds.
State = tuple[tuple[str, int, int, int, int], ...]

# Within one tick of a file system's clock a file may change twice under one time: what is so young is not kept.
_YOUNG_NS = 2_000_000_000
_FOLDERS_KEPT = 64


@dataclass(frozen=True)
class Written:
    """Files of one kind in one folder.

    Attributes:
        merged: what they say together, unresolved; not to be changed.
        files: their paths.
    """

    merged: DictConfig | None
    files: frozenset[Path]


_kept: dict[tuple[Any, ...], tuple[State, Written]] = {}


def state_of(folder: str) -> State:
    """State of all files in a folder and in those below it, behind links too."""
    return tuple(sorted(_files(folder, set())))


def _files(folder: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, int, int, int, int]]:
    try:
        found = Path(folder).stat()
        if (found.st_dev, found.st_ino) in seen:
            return
        seen.add((found.st_dev, found.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    yield from _files(entry.path, seen)
                elif entry.is_file():
                    now = entry.stat()
                    yield entry.path, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
    except FileNotFoundError:
        return


def written(key: tuple[Any, ...], state: State, read: Callable[[], dict[Path, Any]]) -> Written:
    """What `read` gives, merged; remembered by `key` for as long as the folder's files are in this state.

    Args:
        key: names the folder and the kind.
        state: of the folder, taken before this call.
        read: parses the files; its errors are not remembered.
    """
    if (kept := _kept.get(key)) and kept[0] == state:
        return kept[1]
    begin = time.time_ns()
    per_file = read()
    parts = [config for config in per_file.values() if config]
    merged = cast(DictConfig, OmegaConf.unsafe_merge(*parts)) if parts else None
    made = Written(merged, frozenset(per_file))
    if all(max(changed, touched) < begin - _YOUNG_NS for *_, changed, touched in state):
        if len(_kept) >= _FOLDERS_KEPT:
            _kept.clear()
        _kept[key] = (state, made)
    return made
