"""A file of this machine that was judged is the one that is opened: no link, and no other file put in its place."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from tracked_kedro.kedro_side.sources.rules import SourceRefusedError


def open_without_links(path: Path) -> BinaryIO:
    """Open a regular file by an absolute path without links, folder by folder.

    Whoever may write in one of the folders could put a link there after the path was judged; here none is followed.

    Raises:
        SourceRefusedError: a part of the path is a link, or the file is none that is stored (a pipe, a device).
        FileNotFoundError: it is not there.
    """
    *folders, name = path.parts[1:]
    below = os.open(path.anchor, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = _open(folder, os.O_DIRECTORY, below)
            os.close(below)
            below = inner
        # Opening a pipe would wait for whoever writes to it.
        file = _open(name, os.O_NONBLOCK, below)
    finally:
        os.close(below)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise SourceRefusedError("it is no regular file (a folder, a pipe?); put a file in its place")
    return os.fdopen(file, "rb")


def _open(name: str, flags: int, below: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=below)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SourceRefusedError(f"it cannot be opened: {error.strerror}") from error
