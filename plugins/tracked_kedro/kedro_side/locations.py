"""Where a deployment keeps its files, and the OmegaConf resolvers by which configuration says so.

Two environment variables move everything: ``RETRAINING_VAR`` (default ``var/`` beside the Kedro project) and
``RETRAINING_DATA`` (default ``<var>/data``; an ``s3://`` address where tasks run on several machines).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

_KEY = re.compile(r"[\w.-]+")


def project_path() -> Path:
    """The Kedro project: the environment variable KEDRO_PROJECT_PATH, else `kedro_project/` beside `plugins/`."""
    return Path(os.environ.get("KEDRO_PROJECT_PATH") or Path(__file__).resolve().parents[3] / "kedro_project")


def raw_folder() -> Path:
    """Folder of the Kedro project into which people put input files."""
    return project_path() / "data" / "01_raw"


def var_folder() -> Path:
    """Folder for everything that is made at run time."""
    return Path(os.environ.get("RETRAINING_VAR") or project_path().parent / "var").absolute()


def run_folder(pipeline: str, run_key: str | None) -> str:
    """Folder (or address) of the data of one run of a pipeline; ``kedro run`` writes to the key ``kedro``.

    Raises:
        ValueError: the key is no plain name of a folder (see `run_keys` for keys of DAG runs).
    """
    if run_key and not (_KEY.fullmatch(run_key) and run_key.strip(".")):
        raise ValueError(f"run_key={run_key!r} names a folder; write it with letters, digits, '_', '-' and '.' alone")
    return f"{data_root()}/{pipeline}/{run_key or 'kedro'}"


def raw_inputs() -> str:
    """Folder (or address) of the raw input files of all runs, by content."""
    return f"{data_root()}/raw_inputs"


def data_root() -> str:
    """Folder (or address) of the data between tasks and the raw inputs of all runs.

    Raises:
        ValueError: the environment `prod` does not say where.
    """
    root = os.environ.get("RETRAINING_DATA")
    if not root and os.environ.get("KEDRO_ENV") == "prod":
        raise ValueError(
            "RETRAINING_DATA is not set: in the environment `prod` tasks hand data to each other in a store that all "
            "workers reach; set it to an address such as s3://bucket/runs"
        )
    return (root or str(var_folder() / "data")).rstrip("/")


def artifact_location(experiment: str, address: str | None = None) -> str | None:
    """Artifact folder of an experiment on the embedded SQLite store; None leaves it to the tracking server.

    The address is that of the tracking server, by default what MLFLOW_TRACKING_URI says.
    """
    if (address or os.environ.get("MLFLOW_TRACKING_URI", "sqlite:")).startswith("sqlite:"):
        return (var_folder() / "mlflow" / "artifacts" / experiment).as_uri()
    return None


#: What configuration of any project may use; a pipeline adds its own (see `discovery`).
RESOLVERS: dict[str, Callable[..., object]] = {
    "artifact_location": artifact_location,
    "raw_inputs": raw_inputs,
    "run_folder": run_folder,
}
