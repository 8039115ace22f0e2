"""Partitioned datasets that may be empty, the datasets of their parts, and a table that grows from run to run."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import fsspec
import polars as pl
from kedro.io import AbstractDataset
from kedro_datasets.partitions import PartitionedDataset

from retraining.structural import Posterior


class OptionalPartitionedDataset(PartitionedDataset):
    """A PartitionedDataset for which "nothing there yet" is an empty dictionary, not an error."""

    def load(self) -> dict[str, Callable[[], Any]]:
        """Loaders by partition id; empty when the folder does not exist or holds nothing."""
        self._invalidate_caches()
        return super().load() if self._list_partitions() else {}


class PartitionsByNameDataset(PartitionedDataset):
    """A PartitionedDataset of which a task asks for a few partitions by id: no listing, which grows with the folder."""

    def load(self) -> Mapping[str, Callable[[], Any]]:
        """Loaders by partition id, each looked for when it is asked for."""
        return _ByName(self)

    def _one(self, partition: str) -> AbstractDataset:
        path = self._join_protocol(self._partition_to_path(partition))
        return self._dataset_type(**{**self._dataset_config, self._filepath_arg: path})

    def _ids(self) -> list[str]:
        self._invalidate_caches()
        return [self._path_to_partition(path) for path in self._list_partitions()]


class _ByName(Mapping[str, Callable[[], Any]]):
    def __init__(self, dataset: PartitionsByNameDataset) -> None:
        self._dataset = dataset

    def __contains__(self, partition: object) -> bool:
        return isinstance(partition, str) and self._dataset._one(partition).exists()

    def __getitem__(self, partition: str) -> Callable[[], Any]:
        if partition not in self:
            raise KeyError(partition)
        return self._dataset._one(partition).load

    def __iter__(self) -> Iterator[str]:
        return iter(self._dataset._ids())

    def __len__(self) -> int:
        return len(self._dataset._ids())


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


class BytesDataset(AbstractDataset[bytes, bytes]):
    """A file as it is, on any file system that fsspec knows."""

    def __init__(self, filepath: str) -> None:
        self._filepath = filepath

    def save(self, data: bytes) -> None:
        """Write the file in one piece: it is complete or not there."""
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        filesystem.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        with filesystem.transaction, filesystem.open(path, "wb") as file:
            file.write(data)

    def load(self) -> bytes:
        """Read the file."""
        with fsspec.open(self._filepath, "rb") as file:
            return file.read()

    def _exists(self) -> bool:
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        return bool(filesystem.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class LedgerDataset(AbstractDataset[pl.DataFrame, pl.DataFrame | None]):
    """A Parquet table that each run reads and writes again in one piece; None before the first."""

    def __init__(self, filepath: str) -> None:
        self._file = BytesDataset(filepath)

    def save(self, data: pl.DataFrame) -> None:
        """Replace the table: a reader sees the old one or the new one."""
        buffer = io.BytesIO()
        data.write_parquet(buffer, compression="zstd")
        self._file.save(buffer.getvalue())

    def load(self) -> pl.DataFrame | None:
        """The table as the last run has left it."""
        return pl.read_parquet(io.BytesIO(self._file.load())) if self._file._exists() else None

    def _exists(self) -> bool:
        return self._file._exists()

    def _describe(self) -> dict[str, Any]:
        return self._file._describe()
