"""Brings the raw station files up to date from a folder, an HTTP(S) server or an S3 bucket, through fsspec.

What changed is told by the source's ETag, modification time and size, kept in a small JSON file beside the stations
together with the SHA-256 of what was written; where a source gives no more than a size, the file is fetched and
its content compared. A file is replaced in one step or not at all: whatever fails leaves the old one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from retraining.pipelines.climate_brazil.errors import BadInputError
from retraining.pipelines.climate_brazil.stations.sheet import read_sheet
from tracked_kedro.kedro_side.local_files import write_atomically
from tracked_kedro.kedro_side.simulated import is_simulated
from tracked_kedro.kedro_side.sources.opening import Source, shown, source
from tracked_kedro.kedro_side.sources.rules import SourceRefusedError

logger = logging.getLogger(__name__)

STATE_FILE = ".refresh.json"
#: Bytes; a thousand series of a century have 40 MB, and reading takes 25 times as much memory.
LARGEST = 64 * 2**20
Status = Literal["unchanged", "updated", "new", "failed"]


class SourceError(BadInputError):
    """The source or the folder is configured in a way that cannot work."""


@dataclass(frozen=True)
class FileStatus:
    """What became of one station's file; `reason` says why where it failed."""

    series: str
    file: str
    status: Status
    reason: str = ""


@dataclass(frozen=True)
class RefreshReport:
    """Outcome of one refresh. `source` is the pattern without credentials, None where none is configured."""

    source: str | None
    folder: str
    files: tuple[FileStatus, ...] = ()

    @property
    def failed(self) -> tuple[FileStatus, ...]:
        """Files that could not be fetched; their old versions are in place."""
        return tuple(one for one in self.files if one.status == "failed")

    @property
    def changed(self) -> tuple[FileStatus, ...]:
        """Files that are not what they were."""
        return tuple(one for one in self.files if one.status in ("updated", "new"))

    @property
    def message(self) -> str:
        """One line for a log."""
        if self.source is None:
            return "no source is configured, nothing to refresh (`source` in the parameters: a URL pattern with {file})"
        counts = ", ".join(
            f"{sum(one.status == status for one in self.files)} {status}"
            for status in ("new", "updated", "unchanged", "failed")
        )
        return f"{self.source} -> {self.folder}: {counts}"


def refresh_files(
    url_pattern: str | None,
    files: Mapping[str, str],
    folder: str | Path,
    *,
    timeout: float = 20.0,
    total_timeout: float = 120.0,
    configured: Iterable[str | None] = (),
    credentials: Mapping[str, Any] | None = None,
) -> RefreshReport:
    """Fetches `files` (series id to file name) from `url_pattern`, such as `https://host/{file}`, into `folder`.

    `timeout` bounds a request and `total_timeout` the whole refresh, in seconds; files whose turn does not come count
    as failed. A failed file is a line of the report, never an exception: the old file stays, the run can go on with it.
    `configured` addresses may be read, and get the `credentials` (see `tracked_kedro.kedro_side.sources.opening`).
    Raises SourceError for a pattern or folder that cannot work, whatever the network does, and SourceRefusedError for
    an address that this deployment does not read, or where it reads not one of the files.
    """
    if not url_pattern:
        report = RefreshReport(None, str(folder))
        logger.info("refresh: %s", report.message)
        return report
    folder = Path(folder)
    _check(url_pattern, folder)
    # The folder of all of them: their connections are shared.
    place = source(
        url_pattern.partition("{file}")[0].rpartition("/")[0],
        configured,
        credentials=credentials,
        timeout=timeout,
    )
    state = _read_state(folder)
    started = time.monotonic()
    statuses = []
    refusals = []
    for series, file in files.items():
        url = url_pattern.replace("{file}", file)
        try:
            if time.monotonic() - started > total_timeout:
                raise TimeoutError(f"not tried: the refresh has used up its {total_timeout:g} seconds")
            status = _refresh_one(place.at(url), folder / file, state)
        except Exception as error:  # noqa: BLE001 - each store has exceptions of its own; the report carries them all
            refusals += [error] if isinstance(error, SourceRefusedError) else []
            reason = _reason(error).replace(url, shown(url))
            statuses.append(FileStatus(series, file, "failed", f"{reason} ({_fallback(folder / file)})"))
            logger.warning("%s: refresh failed: %s", file, statuses[-1].reason)
        else:
            statuses.append(FileStatus(series, file, status))
    if refusals and len(refusals) == len(files):
        raise refusals[0]
    write_atomically(folder / STATE_FILE, json.dumps(state, indent=1, sort_keys=True).encode())
    report = RefreshReport(shown(url_pattern), str(folder), tuple(statuses))
    logger.info("refresh: %s", report.message)
    return report


def _refresh_one(file: Source, path: Path, state: dict[str, Any]) -> Status:
    info = file.info()
    check_size(info)
    names = ("ETag", "Last-Modified", "LastModified", "mtime", "size")
    seen = {"url": file.shown} | {name: str(info[name]) for name in names if info.get(name) is not None}
    old = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    known = state.get(path.name, {})
    # A size alone tells no change; a file edited by hand since then is fetched again.
    if old and known.get("sha256") == old and known.get("seen") == seen and set(seen) - {"url", "size"}:
        return "unchanged"
    with file.open() as opened:
        content = opened.read()
    new = hashlib.sha256(content).hexdigest()
    if new != old:
        _check_is_station(content, path.name)
        write_atomically(path, content)
    state[path.name] = {"seen": seen, "sha256": new}
    return "unchanged" if new == old else "updated" if old else "new"


def check_size(info: Mapping[str, Any]) -> None:
    """Refuse a file that is larger than any of station values; nothing of it is read.

    Raises:
        SourceError: with the remedy.
    """
    size = info.get("size") or 0
    if size > LARGEST:
        raise SourceError(
            f"it has {size:,} bytes, and more than {LARGEST:,} are no monthly values of stations; "
            "keep one row a month, or split it into several files"
        )


def _check_is_station(content: bytes, file: str) -> None:
    """Only that it is a station file at all (an error page is not); its cells are for the contract to judge."""
    read_sheet(content, file)


def _check(url_pattern: str, folder: Path) -> None:
    if "{file}" not in url_pattern:
        raise SourceError(f"source {shown(url_pattern)!r} lacks {{file}}; write e.g. https://host/stations/{{file}}")
    if is_simulated(folder):
        raise SourceError(
            f"{folder} holds the simulated sample; real files must not join it: choose another folder or delete it"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"{folder} cannot be made: {error.strerror}; choose a folder that is writable") from error


def _read_state(folder: Path) -> dict[str, Any]:
    """Losing the state costs one download, so a file that cannot be read is no error."""
    try:
        state = json.loads((folder / STATE_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _reason(error: Exception) -> str:
    # fsspec reports every HTTP failure as "file not found"; the cause below it says whether the server is down.
    while isinstance(error.__cause__, Exception) and not isinstance(error, BadInputError):
        error = error.__cause__
    return " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").split())


def _fallback(path: Path) -> str:
    return "the old file stays" if path.is_file() else "there is no old file"
