"""Raw input files by content: whatever a run has read can be read again, by any worker and at any later time.

A file is kept once under its SHA-256. The run's manifest says which content had which name when the run began; tasks
read by the manifest, never the folder that the files came from, which may be on another machine or changed meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
from kedro.io import AbstractDataset
from kedro.io.core import parse_dataset_definition

from retraining.locations import var_folder
from retraining.sample_data import write_atomically


class RawInputError(ValueError):
    """A raw input that a run has read is gone, or is not what it was."""


@dataclass(frozen=True)
class RawInputs:
    """Raw input files under an address, each under its SHA-256."""

    root: str

    def keep(self, content: bytes) -> str:
        """Keep a file, unless it is there; its digest."""
        digest = hashlib.sha256(content).hexdigest()
        filesystem, path = fsspec.core.url_to_fs(f"{self.root}/{digest}")
        if not filesystem.exists(path):
            if "file" in filesystem.protocol:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                write_atomically(Path(path), content)
            else:
                filesystem.pipe_file(path, content)
        return digest

    def local(self, digest: str) -> Path:
        """A file on this machine with the content of that digest.

        Raises:
            RawInputError: it is not kept, or its content has another digest.
        """
        filesystem, path = fsspec.core.url_to_fs(f"{self.root}/{digest}")
        if "file" in filesystem.protocol:
            copy = Path(path)
        else:
            copy = var_folder() / "raw_inputs" / digest
            if not copy.exists() and filesystem.exists(path):
                copy.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(copy, filesystem.cat_file(path))
        if not copy.exists():
            raise RawInputError(f"the raw input {digest} is not kept in {self.root}; restore it from a backup")
        if hashlib.sha256(copy.read_bytes()).hexdigest() != digest:
            raise RawInputError(f"{copy} is not what was kept as {digest}; remove it, or restore it from a backup")
        return copy


class RawInputsDataset(AbstractDataset[None, dict[str, Callable[[], Any]]]):
    """The raw files that a run's manifest names, as partitions: a loader by file name without its suffix.

    Args:
        manifest: address of the run's manifest, a JSON file with the digests by file name under ``files``.
        root: where the files are kept by content.
        dataset: definition of the dataset of one file, without its path.
        filename_suffix: of the files that belong to the dataset.
    """

    def __init__(self, manifest: str, root: str, dataset: dict[str, Any], filename_suffix: str) -> None:
        self._manifest, self._kept, self._suffix = manifest, RawInputs(root), filename_suffix
        self._kind: Any
        self._kind, self._arguments = parse_dataset_definition(dataset)

    def load(self) -> dict[str, Callable[[], Any]]:
        """Loaders by file name without suffix; a file is fetched when its loader is called."""
        with fsspec.open(self._manifest, "rb") as file:
            files = json.load(file)["files"]
        return {
            name.removesuffix(self._suffix): partial(self._load_one, digest)
            for name, digest in files.items()
            if name.endswith(self._suffix)
        }

    def _load_one(self, digest: str) -> Any:
        return self._kind(filepath=str(self._kept.local(digest)), **self._arguments).load()

    def save(self, data: None) -> None:
        """Raw inputs are read, never written."""
        raise NotImplementedError("raw inputs are read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"manifest": self._manifest, "root": self._kept.root}
