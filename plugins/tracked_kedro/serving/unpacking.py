"""Unpacks the code that a model brought along; this file is the beginning of that code, so that it stands alone.

From a folder Python keeps its bytecode and Numba what it has compiled; a zip in a new place costs both at every load.
"""

from __future__ import annotations

import atexit
import io
import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

CONTENT = "content.zip"


def folder_of(package: str, archive: str) -> str:
    """The folder that holds the content of an archive's package: in the owner's cache, made once for each code.

    Where there is none that only its owner writes to, and that holds what the archive does, it is a folder of this
    process alone.
    """
    with zipfile.ZipFile(archive) as outer, zipfile.ZipFile(io.BytesIO(outer.read(f"{package}/{CONTENT}"))) as content:
        try:
            return str(_kept(package, content))
        except (OSError, RuntimeError):  # RuntimeError: the user has no home
            folder = tempfile.mkdtemp(prefix=f"{package}.")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            content.extractall(folder)
            return folder


def _kept(package: str, content: zipfile.ZipFile) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracked_kedro"
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = cache / package
    if not target.exists():
        # Beside it and renamed: nobody sees half of it.
        scratch = tempfile.mkdtemp(dir=cache, prefix=f".{package}.")
        content.extractall(scratch)
        try:
            Path(scratch).rename(target)
        except OSError:
            # Another process was first; what is wrong with the folder otherwise shows below.
            shutil.rmtree(scratch)
    for folder in (cache, target):
        about = folder.lstat()
        if about.st_uid != os.getuid() or not stat.S_ISDIR(about.st_mode) or about.st_mode & 0o022:
            raise PermissionError(f"others may write to {folder}")
    for name in content.namelist():
        if (target / name).read_bytes() != content.read(name):
            raise FileExistsError(f"{target / name} is not what the model brought along")
    return target
