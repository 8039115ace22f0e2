"""Names of folders and files made of ids that people choose: two ids never share one, on any store."""

from __future__ import annotations

import hashlib
import re

_MADE = re.compile(r".*-[0-9a-f]{32}")
_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_-]{0,99}")
# Devices to Windows, with any suffix.
_DEVICE = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
_READABLE = 80  # characters in front of the digest


def run_key(run_id: str) -> str:
    """Name of the data folder of a DAG run: what is readable of its id, and a digest of all of it.

    At most 113 characters of `[A-Za-z0-9_-]`, which every store and file system takes and none reads as another name.

    >>> run_key("manual__a:b")
    'manual__a_b-fdfd86ae511b266b59839dbb8c6e9c59'
    """
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", run_id)[:_READABLE].lstrip("-")
    return f"{readable}-{hashlib.sha256(run_id.encode(errors='surrogatepass')).hexdigest()[:32]}"


def earlier_run_key(run_id: str) -> str:
    """What named that folder until 0.2.0; runs of `a:b` and `a+b` shared it. Only for runs that began before."""
    return re.sub(r"[^\w.-]+", "_", run_id)


def run_keys(run_id: str) -> tuple[str, ...]:
    """Every name that the data folder of a DAG run may have, the present one first."""
    return tuple(key for key in (run_key(run_id), earlier_run_key(run_id)) if key.strip("."))


def file_name(key: str) -> str:
    """Name of the file about a key: the key itself where every store takes it, else as in `run_key`.

    >>> file_name("belem")
    'belem'
    """
    plain = _PLAIN.fullmatch(key) and not _MADE.fullmatch(key) and not _DEVICE.fullmatch(key)
    return key if plain else run_key(key)
