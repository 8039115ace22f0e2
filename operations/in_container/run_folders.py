"""Folders of the data and the task logs of a DAG run, from ids that somebody may have made up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from tracked_kedro import names
from tracked_kedro.kedro_side.locations import data_root, raw_inputs
from tracked_kedro.kedro_side.run_keys import run_keys

_DAG = re.compile(r"\w[\w.-]*")
# Airflow's own rule for ids of DAG runs (`allowed_run_id_pattern`).
_DAG_RUN = re.compile(r"[A-Za-z0-9_.~:+-]+")


@dataclass(frozen=True)
class Folder:
    """A folder that lies strictly below the root of its kind; equal where it is the same one."""

    root: str
    path: str

    def size(self) -> int:
        """Bytes in it, none where there is no such folder."""
        filesystem = self._filesystem()
        return int(filesystem.du(self.path)) if filesystem.exists(self.path) else 0

    def remove(self) -> None:
        """Remove it with all that is in it."""
        self._filesystem().rm(self.path, recursive=True)

    def _filesystem(self) -> Any:
        return fsspec.core.url_to_fs(self.root)[0]


def folders(tags: Mapping[str, str], logs: str | None) -> Iterator[Folder]:
    """Folders of the DAG run that an MLflow run's tags name; none where an id is not legal or a folder is elsewhere.

    Args:
        tags: of the run.
        logs: address of Airflow's task logs, None where they are not remote.
    """
    dag, dag_run = tags.get(names.DAG_ID_TAG, ""), tags.get(names.DAG_RUN_ID_TAG, "")
    if not (_DAG.fullmatch(dag) and _DAG_RUN.fullmatch(dag_run)) or not dag_run.strip("."):
        return
    # Beside the data of runs lie the raw inputs of all of them, under their digests.
    for key in run_keys(dag_run) if dag != raw_inputs().rpartition("/")[2] else ():
        if found := _below(data_root(), dag, key):
            yield found
    if logs and (found := _below(logs, f"dag_id={dag}", f"run_id={dag_run}")):
        yield found


def _below(root: str, *parts: str) -> Folder | None:
    # The address of the folder itself is never parsed: `a::b` would be a chain of two file systems.
    filesystem, top = fsspec.core.url_to_fs(root)
    path = "/".join([top.rstrip("/"), *parts])
    # A link leads elsewhere, whatever its name says.
    if "file" in filesystem.protocol and Path(path).resolve() != Path(top).resolve().joinpath(*parts):
        return None
    return Folder(root, path)
