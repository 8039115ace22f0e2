"""Partitioned datasets that may be empty, and the dataset of one posterior."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import fsspec
from kedro.io import AbstractDataset
from kedro_datasets.partitions import PartitionedDataset

from retraining.structural import Posterior


class OptionalPartitionedDataset(PartitionedDataset):
    """A PartitionedDataset for which "nothing there yet" is an empty dictionary, not an error."""

    def load(self) -> dict[str, Callable[[], Any]]:
        """Loaders by partition id; empty when the folder does not exist or holds nothing."""
        self._invalidate_caches()
        return super().load() if self._list_partitions() else {}


class PosteriorDataset(AbstractDataset[Posterior, Posterior]):
    """One posterior as a NetCDF file, on any file system that fsspec knows."""

    def __init__(self, filepath: str) -> None:
        self._filepath = filepath

    def save(self, data: Posterior) -> None:
        """Write the file in one piece: it is complete or not there."""
        content = data.netcdf()
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        with filesystem.transaction, filesystem.open(path, "wb") as file:
            file.write(content)

    def load(self) -> Posterior:
        """Read the posterior back."""
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        return Posterior.load(io.BytesIO(filesystem.cat_file(path)))

    def _exists(self) -> bool:
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        return bool(filesystem.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
