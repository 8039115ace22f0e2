"""Stored datasets that the active run keeps as artifacts, wherever they are stored."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import mlflow
from kedro.io import AbstractDataset
from kedro.io.core import parse_dataset_definition


class MlflowArtifactDataset(AbstractDataset[Any, Any]):
    """A stored dataset, file or folder, that the active run also keeps as an artifact.

    kedro-mlflow's dataset of this name takes local files only; this one any address that fsspec knows, so that the
    next task finds the data on another machine. (kedro-mlflow switches logging off in datasets named ``Mlflow…``.)

    Args:
        dataset: definition of the dataset that stores the data, with a ``filepath`` or a ``path``.
        artifact_path: folder among the run's artifacts; none means their root.
        metadata: for Kedro-Viz and other plugins.
    """

    def __init__(
        self, dataset: dict[str, Any], artifact_path: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        kind, arguments = parse_dataset_definition(dataset)
        self._dataset = kind(**arguments)
        # As configured: the dataset's own description drops the protocol (s3://).
        self._place = str(arguments.get("filepath") or arguments["path"])
        self._artifact_path = artifact_path
        self._logging_activated = True
        self.metadata = metadata

    def save(self, data: Any) -> None:
        """Store the data; the active run, where there is one and tracking is on, gets the files."""
        self._dataset.save(data)
        if not (self._logging_activated and mlflow.active_run()):
            return
        filesystem, path = fsspec.core.url_to_fs(self._place)
        if not filesystem.exists(path):  # a folder of no partitions
            return
        if "file" in filesystem.protocol:
            mlflow.log_artifact(path, self._artifact_path)
            return
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / PurePosixPath(path).name
            filesystem.get(path, str(local), recursive=filesystem.isdir(path))
            mlflow.log_artifact(str(local), self._artifact_path)

    def load(self) -> Any:
        """Read the stored data."""
        return self._dataset.load()

    def _exists(self) -> bool:
        return bool(self._dataset.exists())

    def _describe(self) -> dict[str, Any]:
        return {"artifact_path": self._artifact_path, "dataset": self._dataset._describe()}
