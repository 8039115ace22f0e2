"""Partitioned datasets that may be empty, or of which a task knows the few names that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets.partitions import PartitionedDataset


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
