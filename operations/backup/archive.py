"""One file that holds a stack's state: a tar that ends with a manifest of every other entry, and its signature."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

import click
from pydantic import ValidationError

from operations.backup.entries import DATABASES, MANIFEST, SIGNATURE, entries, is_legal
from operations.backup.manifest import FORMAT, PACKAGES, Entry, Manifest, not_signed, signature

# What whoever restores a backup that nobody vouches for must know.
ON_TRUST = (
    "whoever wrote it decides what this stack's database roles execute, who may log in and which models are served; "
    "UNSIGNED=1 restores it all the same, if you know who that was"
)
_UNREADABLE = (OSError, tarfile.TarError, ValueError, OverflowError, RecursionError, MemoryError)


class Writer:
    """Writes an archive; it has its name only once it is complete.

    Args:
        target: the file.
        key: secret of the stack, which signs the manifest.
    """

    def __init__(self, target: Path, key: str) -> None:
        self._target, self._partial, self._key = target, target.with_name(f".{target.name}.partial"), key
        self._files: dict[str, Entry] = {}

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
        """Add an entry of so many bytes.

        Raises:
            ValueError: no backup with an entry of this name could be restored.
        """
        if not is_legal(name):
            raise ValueError(f"{name!r} is no name of a backup's entry")
        reader = _Hashing(content)
        self._write(name, size, cast("IO[bytes]", reader))
        self._files[name] = Entry(sha256=reader.digest.hexdigest(), size=size)

    def _write(self, name: str, size: int, content: IO[bytes]) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        self._tar.addfile(entry, content)

    def __exit__(self, kind: object, error: object, at: object) -> None:
        if kind is None:
            packages = {name: importlib.metadata.version(name) for name in PACKAGES}
            made = datetime.now(UTC).replace(microsecond=0)
            manifest = Manifest.model_validate(
                {"format": FORMAT, "made": made, "packages": packages, "files": self._files}
            )
            text = manifest.model_dump_json(indent=1).encode()
            for name, content in ((MANIFEST, text), (SIGNATURE, signature(text, self._key))):
                self._write(name, len(content), io.BytesIO(content))
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
    manifest: Manifest

    @classmethod
    def verified(cls, path: Path, key: str | None, unsigned: bool = False) -> Archive:
        """Judge names, kinds, signature and sizes of all entries, then read it from end to end and compare digests.

        Args:
            path: a file that anybody may have written.
            key: secret of this stack, which signs its backups.
            unsigned: whether a backup is taken that is not signed with that key; everything else is judged as ever.

        Raises:
            click.ClickException: it is no archive, was cut off, was changed, is not this stack's, or was made by a
                newer version.
        """
        try:
            # A plain tar: what is compressed would have no end that is known beforehand.
            with tarfile.open(path, mode="r:") as tar:
                found = {entry.name: entry for entry in entries(tar)}
                manifest = cls._manifest(path, tar, found, key, unsigned)
                _compare(path, tar, {name: found[name] for name in found.keys() - {MANIFEST, SIGNATURE}}, manifest)
        except _UNREADABLE as error:
            reason = getattr(error, "strerror", None) or error
            raise click.ClickException(
                f"{path} cannot be read as a backup: {reason}; FILE= names a file that `make backup` has written"
            ) from error
        if newer := manifest.newer():
            raise click.ClickException(f"{path} {newer}")
        return cls(path, manifest)

    @staticmethod
    def _manifest(
        path: Path, tar: tarfile.TarFile, found: Mapping[str, tarfile.TarInfo], key: str | None, unsigned: bool
    ) -> Manifest:
        # It has a few hundred bytes for each entry, whose name may be written with escapes.
        most = 4096 + sum(300 + 12 * len(name) for name in found)
        if MANIFEST not in found or found[MANIFEST].size > most:
            raise click.ClickException(
                f"{path} is no complete backup of this project: it has no manifest; take another"
            )
        text = _content(tar, found[MANIFEST])
        signed = _content(tar, found[SIGNATURE]) if SIGNATURE in found and found[SIGNATURE].size == 64 else None
        if not unsigned and (reason := not_signed(text, signed, key)):
            raise click.ClickException(f"{path} {reason}. Otherwise {ON_TRUST}")
        try:
            return Manifest.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise click.ClickException(f"{path} has no manifest of ours: {where!r}: {first['msg']}") from error

    def entries(self, folder: str) -> Iterator[tuple[str, IO[bytes]]]:
        """Name below the folder, and content, of each of its entries."""
        with tarfile.open(self.path, mode="r:") as tar:
            for entry in entries(tar):
                content = tar.extractfile(entry)
                if content and entry.name.startswith(f"{folder}/"):
                    yield entry.name.removeprefix(f"{folder}/"), content

    def size(self, folder: str) -> int:
        """Bytes of the entries of a folder."""
        return sum(entry.size for name, entry in self.manifest.files.items() if name.startswith(f"{folder}/"))


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    return cast("IO[bytes]", tar.extractfile(entry)).read()


def _compare(path: Path, tar: tarfile.TarFile, found: Mapping[str, tarfile.TarInfo], manifest: Manifest) -> None:
    """Sizes first, which takes no time, then digests.

    Raises:
        click.ClickException: an entry is not what the manifest says of it.
    """
    says = manifest.files
    if missing := [name for name in DATABASES if name not in says]:
        raise click.ClickException(f"{path} is no complete backup: {missing[0]} is not in it; take another")
    wrong = [
        name
        for name in sorted(found.keys() | says)
        if name not in found or name not in says or found[name].size != says[name].size
    ]
    if not wrong:
        for name in sorted(found, key=lambda name: found[name].offset_data):
            content = cast("io.BufferedReader", tar.extractfile(found[name]))
            if hashlib.file_digest(content, "sha256").hexdigest() != says[name].sha256:
                wrong.append(name)
    if wrong:
        raise click.ClickException(
            f"{path} is damaged: {wrong[0]!r} is not what was backed up ({len(wrong)} such); take another"
        )
