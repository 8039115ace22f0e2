"""What may lie in a backup, a file that anybody may have written: these names, as plain files, each once."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

MANIFEST, SIGNATURE = "manifest.json", "manifest.hmac-sha256"
DATABASES, BUCKETS = ("databases/airflow", "databases/mlflow"), ("data", "artifacts")
# Bytes of an object's key, as S3 has it.
_LONGEST_KEY = 1024


def is_legal(name: str) -> bool:
    """Whether an entry may have this name: a database, or an object of a bucket whose key is a plain path below it."""
    if name in DATABASES:
        return True
    bucket, _, key = name.partition("/")
    try:
        is_short = len(key.encode()) <= _LONGEST_KEY
    except UnicodeEncodeError:
        return False
    is_path = "\0" not in key and not {"", ".", ".."}.intersection(key.split("/"))
    return bucket in BUCKETS and is_short and is_path


def entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Each entry of an archive; contents are skipped.

    Raises:
        ValueError: one is none of a backup's; the message names it.
    """
    seen: set[str] = set()
    for entry in tar:
        if not (is_legal(entry.name) or entry.name in (MANIFEST, SIGNATURE)):
            raise ValueError(f"{entry.name!r} is no name of a backup's entry")
        # A sparse file says that it is larger than what is there.
        if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.sparse or entry.size < 0:
            raise ValueError(f"{entry.name!r} is no plain file")
        if entry.name in seen:
            raise ValueError(f"{entry.name!r} is there twice")
        seen.add(entry.name)
        yield entry
