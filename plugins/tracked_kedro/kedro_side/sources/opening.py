"""Files that a value names, judged when they are named and again when they are opened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, TypeVar
from urllib.parse import urlsplit

import fsspec

from tracked_kedro.kedro_side.locations import data_root, raw_folder, var_folder
from tracked_kedro.kedro_side.plain_values import credential_fault
from tracked_kedro.kedro_side.redaction import public_url
from tracked_kedro.kedro_side.sources.http import Connections, http_filesystem
from tracked_kedro.kedro_side.sources.local import open_without_links
from tracked_kedro.kedro_side.sources.rules import VARIABLE, Allowed, Place, SourceRefusedError, entries, place

T = TypeVar("T")
_LOCAL = ("file://", "local://")
_SYSTEM = ("/proc", "/sys", "/dev")


class Source(Protocol):
    """A file or folder that may be read."""

    @property
    def address(self) -> str:
        """Path or address."""

    @property
    def name(self) -> str:
        """Its last part, without the query."""

    @property
    def shown(self) -> str:
        """The address as everybody may read it."""

    def at(self, address: str) -> Source:
        """Another one, judged like this one, over the same connection where that leads there."""

    def exists(self) -> bool:
        """Whether it is there."""

    def is_folder(self) -> bool:
        """Whether it holds others."""

    def children(self) -> list[str]:
        """Addresses of what it holds, sorted."""

    def open(self) -> BinaryIO:
        """Open it for reading."""

    def info(self) -> dict[str, Any]:
        """What its store tells about it: `size`, `mtime`, `ETag`, …"""


def source(
    address: str,
    configured: Iterable[str | None] = (),
    *,
    credentials: Mapping[str, Any] | None = None,
    timeout: float | None = None,
) -> Source:
    """A file or folder that a value names, once it is judged.

        with source(params["rents"], configured=[from_conf]).open() as file:
            table = pl.read_csv(file.read())

    Args:
        address: a path of this machine (not relative to anything but the process's folder), or scheme://….
        configured: addresses that configuration names; with the files beside them, they may be read.
        credentials: fsspec's options, such as `headers` (HTTP) or `key` and `secret` (S3); they are used where
            configuration names the address, and nowhere else.
        timeout: seconds for one request.

    Raises:
        SourceRefusedError: the list does not hold it, or it has a credential in it.
    """
    told = [one for one in configured if one]
    allowed = _allowed(told)
    if (local := _local(address)) is not None:
        return _LocalSource(str(local), allowed)
    asked, any_address = _judged(address, allowed)
    ours = credentials if credentials and _is_told(asked, told) else {}
    return _RemoteSource(address, allowed, *_filesystem(address, asked, any_address, dict(ours), timeout))


def shown(address: str) -> str:
    """An address as everybody may read it."""
    if credential_fault(address):
        return f"{address.partition('://')[0].rpartition(':')[2]}://***"
    return public_url(address) if "://" in address else address


def name_of(address: str) -> str:
    """Name of the file at an address, without the query."""
    return PurePosixPath(urlsplit(address).path if "://" in address else address).name


def with_neighbours(address: str) -> str:
    """The folder of a file, so that what belongs to it may lie beside it; a folder as it is."""
    if (local := _local(address)) is not None and "{" not in local.name:
        return str(local.parent if local.is_file() else local)
    folder, _, name = address.partition("?")[0].rpartition("/")
    return folder if ("." in name or "{" in name) and not folder.endswith(":/") else address


def allow(addresses: Iterable[str]) -> None:
    """Let this process, and those that it starts, read what the person who started it has named."""
    told = [one if (local := _local(one)) is None else str(local) for one in addresses]
    if told:
        listed = entries(os.environ.get(VARIABLE, ""))
        os.environ[VARIABLE] = json.dumps([*listed, *(with_neighbours(one) for one in told)])


def _local(address: str) -> Path | None:
    for scheme in _LOCAL:
        if address.startswith(scheme):
            return Path(address.removeprefix(scheme)).absolute()
    return None if "://" in address or "::" in address else Path(address).expanduser().absolute()


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))


def _allowed(configured: Iterable[str]) -> Allowed:
    listed = [*entries(os.environ.get(VARIABLE, "")), *(with_neighbours(one) for one in configured)]
    listed += [str(raw_folder()), str(var_folder() / "sample")]
    own = [str(var_folder()), _bucket(data_root()), *_SYSTEM]
    return Allowed(*_sorted_out(listed), *_sorted_out(own))


def _bucket(address: str) -> str:
    """All of the bucket of the runs' data, for logs lie there too; a folder as it is."""
    scheme, separator, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0] or rest}" if separator else address


def _sorted_out(many: Iterable[str]) -> tuple[list[Path], list[Place]]:
    folders: list[Path] = []
    places: list[Place] = []
    for one in many:
        if (local := _local(one)) is not None:
            folders.append(_real(local))
        else:
            try:
                places.append(place(one))
            except SourceRefusedError as error:
                raise SourceRefusedError(f"{VARIABLE} or conf, {shown(one)}: {error}") from None
    return folders, places


def _judged(address: str, allowed: Allowed) -> tuple[Place, bool]:
    try:
        if wrong := credential_fault(address):
            raise SourceRefusedError(wrong)
        asked = place(address)
        return asked, allowed.check_place(asked)
    except SourceRefusedError as error:
        raise SourceRefusedError(f"{shown(address)}: {error}") from None


def _is_told(asked: Place, told: Iterable[str]) -> bool:
    return any(place(with_neighbours(one)).holds(asked) for one in told if _local(one) is None)


def _filesystem(
    address: str, asked: Place, any_address: bool, options: dict[str, Any], timeout: float | None
) -> tuple[Any, Connections]:
    connections = Connections(any_address)
    if asked.scheme in ("http", "https"):
        return http_filesystem(connections, timeout, options), connections
    if asked.scheme == "s3" and timeout:
        retries = {"max_attempts": 2}
        config = {"connect_timeout": timeout, "read_timeout": timeout, "retries": retries}
        options = {"config_kwargs": config, **options}
    try:
        # A cached instance would answer from an old listing.
        filesystem, _ = fsspec.core.url_to_fs(address, skip_instance_cache=True, **options)
    except (ValueError, ImportError) as error:
        message = f"{shown(address)}: this scheme cannot be read; use https://, s3:// or a folder"
        raise SourceRefusedError(message) from error
    return filesystem, connections


@dataclass(frozen=True)
class _LocalSource:
    address: str
    _allowed: Allowed = field(repr=False)

    def __post_init__(self) -> None:
        self._judged()

    def _judged(self) -> Path:
        resolved = _real(self.address)
        try:
            self._allowed.check_path(resolved)
        except SourceRefusedError as error:
            raise SourceRefusedError(f"{self.address}: {error}") from None
        return resolved

    @property
    def name(self) -> str:
        return Path(self.address).name

    @property
    def shown(self) -> str:
        return self.address

    def at(self, address: str) -> Source:
        return _LocalSource(str(_local(address)), self._allowed)

    def exists(self) -> bool:
        return self._judged().exists()

    def is_folder(self) -> bool:
        return self._judged().is_dir()

    def children(self) -> list[str]:
        return sorted(str(Path(self.address) / path.name) for path in self._judged().iterdir())

    def open(self) -> BinaryIO:
        try:
            return open_without_links(self._judged())
        except SourceRefusedError as error:
            raise SourceRefusedError(f"{self.address}: {str(error).removeprefix(f'{self.address}: ')}") from None

    def info(self) -> dict[str, Any]:
        with self.open() as file:
            found = os.fstat(file.fileno())
        return {"size": found.st_size, "mtime": found.st_mtime}


@dataclass(frozen=True)
class _RemoteSource:
    address: str
    _allowed: Allowed = field(repr=False)
    _filesystem: Any = field(repr=False)
    _connections: Connections = field(repr=False)

    @property
    def name(self) -> str:
        return name_of(self.address)

    @property
    def shown(self) -> str:
        return shown(self.address)

    def at(self, address: str) -> Source:
        asked, _ = _judged(address, self._allowed)
        if asked[:3] != place(self.address)[:3]:
            raise SourceRefusedError(f"{shown(address)}: it is on another host than {self.shown}; name it by itself")
        return _RemoteSource(address, self._allowed, self._filesystem, self._connections)

    def exists(self) -> bool:
        return bool(self._asked(lambda: self._filesystem.exists(self._path)))

    def is_folder(self) -> bool:
        return bool(self._asked(lambda: self._filesystem.isdir(self._path)))

    def children(self) -> list[str]:
        names = self._asked(lambda: self._filesystem.ls(self._path, detail=False))
        return sorted(str(self._filesystem.unstrip_protocol(name)) for name in names)

    def open(self) -> BinaryIO:
        return self._asked(lambda: self._filesystem.open(self._path, "rb"))

    def info(self) -> dict[str, Any]:
        return dict(self._asked(lambda: self._filesystem.info(self._path)))

    @property
    def _path(self) -> str:
        return self._filesystem._strip_protocol(self.address)

    def _asked(self, work: Callable[[], T]) -> T:
        self._connections.refusal = None
        try:
            return work()
        finally:
            if (refusal := self._connections.refusal) is not None:
                raise SourceRefusedError(f"{self.shown}: {refusal}") from None
