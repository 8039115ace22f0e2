"""Folders and addresses of station files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tracked_kedro.kedro_side.locations import raw_folder, var_folder

STATION_SUFFIX = ".csv"
STATION_FILES = f"station_*{STATION_SUFFIX}"


def sample_folder() -> Path:
    """Folder of the simulated sample stations."""
    return var_folder() / "sample" / "stations"


def stations_folder(stations: str | None) -> str:
    """Folder the station files are read from.

    An explicit folder wins; an address (``https://…``, ``s3://…``) is mirrored by ``refresh`` into a folder of its
    own; without either it is ``data/01_raw`` when that holds station files, else the simulated sample.
    """
    if stations and "://" in stations:
        name = hashlib.sha256(stations.encode()).hexdigest()[:12]
        return str(var_folder() / "stations" / name)
    if stations:
        return str(Path(stations).expanduser().absolute())
    raw = raw_folder()
    return str(raw if any(raw.glob(STATION_FILES)) else sample_folder())


def stations_source(stations: str | None, source: str | None) -> str | None:
    """URL pattern that ``refresh`` fetches from, or None: an address given as ``stations`` beats ``source``."""
    if stations and "://" in stations:
        return stations if "{file}" in stations else f"{stations.rstrip('/')}/{{file}}"
    # A folder given by hand is read as it is; the configured source feeds data/01_raw only.
    return None if stations else source


def refresh_folder(stations: str | None) -> str:
    """Folder that ``refresh`` writes to: the mirror of an address, else ``data/01_raw``."""
    return stations_folder(stations) if stations else str(raw_folder())
