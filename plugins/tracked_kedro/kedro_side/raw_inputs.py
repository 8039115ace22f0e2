"""Raw input files by content: whatever a run has read can be read again, by any worker and at any later time.

A file is kept once under its SHA-256. The run's manifest says which content had which name when the run began; tasks
read by the manifest, never the folder that the files came from, which may be on another machine or changed meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from kedro.io import AbstractDataset
from kedro.io.core import parse_dataset_definition

from tracked_kedro.errors import RefusedInputError
from tracked_kedro.kedro_side.locations import var_folder
from tracked_kedro.kedro_side.sources.opening import Source, source

_CHUNK = 2**20


class RawInputError(ValueError):
    """A raw input that a run has read is gone, or is not what it was."""


@dataclass(frozen=True)
class RawInputs:
    """Raw input files under an address, each under its SHA-256."""

    root: str

    def keep(self, found: Source) -> str:
        """Keep a file, unless its content is there already; its digest.

        The file is read in chunks, once where it is not on this machine: it may be larger than memory.

            digest = RawInputs(raw_inputs()).keep(source(address, configured=[from_conf]))
        """
        with found.open() as file:
            if "://" not in found.address:
                if self._exists(digest := _digest_of(file)):
                    return digest
                file.seek(0)
            with self._new() as copy:
                digest = _copy(file, copy)
                kept = copy.replace(self._here / digest)
        if not self._is_local and not self._exists(digest):
            filesystem, path = self._place(digest)
            filesystem.makedirs(filesystem._parent(path), exist_ok=True)
            filesystem.put_file(str(kept), path)
        return digest

    def local(self, digest: str) -> Path:
        """A file on this machine with the content of that digest.

        Raises:
            RawInputError: it is not kept, or its content has another digest.
        """
        kept = self._here / digest
        if not kept.exists() and not self._is_local and self._exists(digest):
            filesystem, path = self._place(digest)
            with self._new() as copy, filesystem.open(path, "rb") as file:
                _copy(file, copy)
                copy.replace(kept)
        if not kept.exists():
            raise RawInputError(f"the raw input {digest} is not kept in {self.root}; restore it from a backup")
        if _digest(kept) != digest:
            raise RawInputError(f"{kept} is not what was kept as {digest}; remove it, or restore it from a backup")
        return kept

    def source(self, digest: str) -> Source:
        """The same, to be read as the source that it was kept from.

        Raises:
            RawInputError: as for `local`.
        """
        kept = str(self.local(digest))
        return source(kept, [kept])

    def _place(self, digest: str) -> tuple[fsspec.AbstractFileSystem, str]:
        return fsspec.core.url_to_fs(f"{self.root}/{digest}")

    def _exists(self, digest: str) -> bool:
        filesystem, path = self._place(digest)
        return bool(filesystem.exists(path))

    @property
    def _is_local(self) -> bool:
        return "file" in self._place("")[0].protocol

    @property
    def _here(self) -> Path:
        """Folder of the files on this machine: the place itself, or copies of what was needed from it."""
        return Path(self._place("")[1]) if self._is_local else var_folder() / "raw_inputs"

    @contextmanager
    def _new(self) -> Iterator[Path]:
        """A file to be written and then moved to its digest: nobody sees half of it."""
        self._here.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._here, prefix=".new-") as folder:
            yield Path(folder) / "content"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return _digest_of(file)


def _digest_of(file: BinaryIO) -> str:
    return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()


def _copy(file: BinaryIO, target: Path) -> str:
    """Copy in chunks; the digest of what was copied."""
    digest = hashlib.sha256()
    with target.open("wb") as copy:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    return digest.hexdigest()


def read_manifest(address: str) -> dict[str, Any]:
    """A run's manifest of its raw inputs: where they come from, and their digests by name (`files`)."""
    with fsspec.open(address, "rb") as file:
        return dict(json.load(file))


class RawInputsDataset(AbstractDataset[None, dict[str, Callable[[], Any]]]):
    """The raw files that a run's manifest names, as partitions: a loader by file name without its suffix.

    Args:
        manifest: address of the run's manifest, a JSON file with the digests by file name under ``files``, and under
            ``refused``, where it has that, why others could not be kept.
        root: where the files are kept by content.
        dataset: definition of the dataset of one file, without its path.
        filename_suffix: of the files that belong to the dataset.
    """

    def __init__(self, manifest: str, root: str, dataset: dict[str, Any], filename_suffix: str) -> None:
        self._manifest, self._kept, self._suffix = manifest, RawInputs(root), filename_suffix
        self._kind: Any
        self._kind, self._arguments = parse_dataset_definition(dataset)

    def load(self) -> dict[str, Callable[[], Any]]:
        """Loaders by file name without suffix; a file is fetched when its loader is called.

        The loader of a file that was refused raises RefusedInputError: what to do without it is the reader's to say.
        """
        manifest = read_manifest(self._manifest)
        loaders = {name: partial(self._load_one, digest) for name, digest in manifest["files"].items()}
        loaders |= {name: partial(_refused, why) for name, why in manifest.get("refused", {}).items()}
        return {name.removesuffix(self._suffix): one for name, one in loaders.items() if name.endswith(self._suffix)}

    def _load_one(self, digest: str) -> Any:
        return self._kind(filepath=str(self._kept.local(digest)), **self._arguments).load()

    def save(self, data: None) -> None:
        """Raw inputs are read, never written."""
        raise NotImplementedError("raw inputs are read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"manifest": self._manifest, "root": self._kept.root}


def _refused(why: str) -> Any:
    raise RefusedInputError(why)
