"""Where a deployment keeps its files: the OmegaConf resolvers that configuration may use.

Two environment variables move everything: ``RETRAINING_VAR`` (default ``var/`` beside ``kedro_project/``) and
``RETRAINING_DATA`` (default ``<var>/data``; an ``s3://`` address where tasks run on several machines).
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
STATION_SUFFIX = ".csv"
STATION_FILES = f"station_*{STATION_SUFFIX}"


def var_folder() -> Path:
    """Folder for everything that is made at run time."""
    return Path(os.environ.get("RETRAINING_VAR") or PROJECT.parent / "var").absolute()


def backup_file(what: str = "backup") -> Path:
    """File for a backup that is begun now, where nobody names another."""
    return var_folder() / "backups" / time.strftime(f"{what}-%Y%m%d-%H%M%S.tar")


def run_folder(pipeline: str, run_key: str | None) -> str:
    """Folder (or address) of the data of one run of a pipeline; ``kedro run`` writes to the key ``kedro``."""
    return f"{_data_root()}/{pipeline}/{run_key or 'kedro'}"


def raw_inputs() -> str:
    """Folder (or address) of the raw input files of all runs, by content."""
    return f"{_data_root()}/raw_inputs"


def _data_root() -> str:
    root = os.environ.get("RETRAINING_DATA")
    if not root and os.environ.get("KEDRO_ENV") == "prod":
        raise ValueError(
            "RETRAINING_DATA is not set: in the environment `prod` tasks hand data to each other in a store that all "
            "workers reach; set it to an address such as s3://bucket/runs"
        )
    return (root or str(var_folder() / "data")).rstrip("/")


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
    raw = PROJECT / "data" / "01_raw"
    return str(raw if any(raw.glob(STATION_FILES)) else sample_folder())


def stations_source(stations: str | None, source: str | None) -> str | None:
    """URL pattern that ``refresh`` fetches from, or None: an address given as ``stations`` beats ``source``."""
    if stations and "://" in stations:
        return stations if "{file}" in stations else f"{stations.rstrip('/')}/{{file}}"
    # A folder given by hand is read as it is; the configured source feeds data/01_raw only.
    return None if stations else source


def refresh_folder(stations: str | None) -> str:
    """Folder that ``refresh`` writes to: the mirror of an address, else ``data/01_raw``."""
    return stations_folder(stations) if stations else str(PROJECT / "data" / "01_raw")


def movies_sample_folder() -> Path:
    """Folder of the simulated stream of views and ratings."""
    return var_folder() / "sample" / "movies"


def movies_stream(movies: str | None) -> str:
    """The stream of views and ratings: an explicit file, folder or address, else the raw file, else the sample."""
    if movies:
        return movies if "://" in movies else str(Path(movies).expanduser().absolute())
    raw = PROJECT / "data" / "01_raw" / "kafka_stream.csv"
    return str(raw if raw.is_file() else movies_sample_folder() / raw.name)


def artifact_location(experiment: str, address: str | None = None) -> str | None:
    """Artifact folder of an experiment on the embedded SQLite store; None leaves it to the tracking server.

    The address is that of the tracking server, by default what MLFLOW_TRACKING_URI says.
    """
    if (address or os.environ.get("MLFLOW_TRACKING_URI", "sqlite:")).startswith("sqlite:"):
        return (var_folder() / "mlflow" / "artifacts" / experiment).as_uri()
    return None


RESOLVERS = {
    "artifact_location": artifact_location,
    "raw_inputs": raw_inputs,
    "refresh_folder": refresh_folder,
    "run_folder": run_folder,
    "stations_source": stations_source,
}
