"""One file that holds a stack's state: a tar whose last entry is a manifest with the digest of every other."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import click
from packaging.version import Version

FORMAT = 1
MANIFEST = "manifest.json"
_PACKAGES = ("apache-airflow", "mlflow")


class Writer:
    """Writes an archive; it has its name only once it is complete."""

    def __init__(self, target: Path) -> None:
        self._target, self._partial = target, target.with_name(f".{target.name}.partial")
        self._files: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Writer:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._partial.unlink(missing_ok=True)
            # It holds what the databases hold, hashes of passwords too: for its owner alone.
            self._file = os.fdopen(os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except OSError as error:
            reason = f"user {os.geteuid()} cannot write {self._target}: {error.strerror}"
            raise click.ClickException(f"{reason}; name a file in another folder with FILE=") from error
        self._tar = tarfile.open(fileobj=self._file, mode="w")
        return self

    def add(self, name: str, size: int, content: IO[bytes]) -> None:
        """Add an entry of so many bytes."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        reader = _Hashing(content)
        self._tar.addfile(entry, cast("IO[bytes]", reader))
        self._files[name] = {"sha256": reader.digest.hexdigest(), "size": size}

    def __exit__(self, kind: object, error: object, at: object) -> None:
        if kind is None:
            text = json.dumps(
                {
                    "format": FORMAT,
                    "made": datetime.now(UTC).isoformat(timespec="seconds"),
                    "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
                    "files": self._files,
                },
                indent=1,
            ).encode()
            entry = tarfile.TarInfo(MANIFEST)
            entry.size = len(text)
            self._tar.addfile(entry, io.BytesIO(text))
            self._tar.close()
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        if kind is None:
            self._partial.replace(self._target)
        else:
            self._partial.unlink(missing_ok=True)


class _Hashing:
    """Reads through, and hashes what it has read."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content, self.digest = content, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        part = self._content.read(size)
        self.digest.update(part)
        return part


@dataclass(frozen=True)
class Archive:
    """A complete archive, whose entries are what its manifest says."""

    path: Path
    manifest: dict[str, Any]

    @classmethod
    def verified(cls, path: Path) -> Archive:
        """Read it once from end to end, and compare every digest.

        Raises:
            click.ClickException: it is no archive, was cut off, was changed, or was made by a newer version.
        """
        found, manifest = {}, None
        try:
            with tarfile.open(path) as tar:
                for entry in tar:
                    content = tar.extractfile(entry)
                    if entry.name == MANIFEST and content:
                        manifest = json.load(content)
                    elif content:
                        digest = hashlib.file_digest(cast("io.BufferedReader", content), "sha256").hexdigest()
                        found[entry.name] = {"sha256": digest, "size": entry.size}
        except (OSError, tarfile.TarError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise click.ClickException(
                f"{path} cannot be read as a backup: {reason}; FILE= names a file that `make backup` has written"
            ) from error
        if manifest is None or manifest.get("format") != FORMAT:
            raise click.ClickException(
                f"{path} is no complete backup of this project: it has no manifest; take another"
            )
        if wrong := sorted(
            name for name in found.keys() | manifest["files"] if found.get(name) != manifest["files"].get(name)
        ):
            raise click.ClickException(
                f"{path} is damaged: {wrong[0]} is not what was backed up ({len(wrong)} such); take another"
            )
        for name, made_by in manifest["packages"].items():
            if Version(made_by) > Version(here := importlib.metadata.version(name)):
                raise click.ClickException(f"{path} was made with {name} {made_by}, here is {here}; upgrade first")
        return cls(path, manifest)

    def entries(self, folder: str) -> Iterator[tuple[str, IO[bytes]]]:
        """Name below the folder, and content, of each of its entries."""
        with tarfile.open(self.path) as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                if content and entry.name.startswith(f"{folder}/"):
                    yield entry.name.removeprefix(f"{folder}/"), content
