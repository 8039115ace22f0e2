"""Where values from outside may point: the operator's list, and the judgement by it. Pure: nothing is looked up here.

An entry is a folder, or the beginning of an address: a host or a bucket (`s3://bucket`), with or without a path
(`https://host/stations`), `https://host:*` for all of its ports, or a scheme alone (`https://`: any host that the whole
internet reaches). The longest entry decides, so that an allowed folder may contain one that is not.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple
from urllib.parse import unquote

#: Environment variable with the operator's list.
VARIABLE = "ALLOWED_SOURCES"
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]*)(?::(?P<port>\d{1,5}|\*))?"
    r"(?P<path>/[^?#\s\\]*)?(?:\?[^#\s\\]*)?",
    re.I | re.A,
)
_PORTS = {"http": "80", "https": "443"}
_BRACKETED = re.compile(r"\[[0-9a-f:.]*\]", re.I)
# What some programs read as an IPv4 address, or as a part of one.
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class SourceRefusedError(ValueError):
    """A file or address that this deployment does not read; the message says which and why, never what is in it."""


class Place(NamedTuple):
    """An address taken apart: `host` is "" for any, `parts` are those of its path."""

    scheme: str
    host: str
    port: str
    parts: tuple[str, ...]

    def holds(self, other: Place) -> bool:
        """Whether the other one is this one or lies below it."""
        same_host = not self.host or (self.host == other.host and self.port in (other.port, "*"))
        return self.scheme == other.scheme and same_host and other.parts[: len(self.parts)] == self.parts

    @property
    def length(self) -> int:
        """The longer of two entries says more exactly what is meant."""
        return bool(self.host) + len(self.parts)


def place(address: str) -> Place:
    """Take an address apart.

    >>> place("https://Data.Example.org/stations/belem.csv")
    Place(scheme='https', host='data.example.org', port='443', parts=('stations', 'belem.csv'))

    Raises:
        SourceRefusedError: it is written in a way in which two programs could read different things.
    """
    if "::" in _BRACKETED.sub("", address):
        raise SourceRefusedError("chains of file systems (a::b) are not read; name the file itself")
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise SourceRefusedError("not an address of the form scheme://host/path; write it without anything else")
    scheme, path = found["scheme"].lower(), found["path"] or ""
    host = found["host"].lower().rstrip(".")
    if _NUMBER.fullmatch(host.rpartition(".")[2]) and not _is_canonical(host):
        raise SourceRefusedError("not an address whose host is written plainly; write it as 192.0.2.1, or its name")
    parts = tuple(part for part in path.split("/") if part)
    for part in parts:
        plain = _unescaped(part)
        if plain in (".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", plain):
            raise SourceRefusedError("a path with '..', or with an escaped slash or control character, is not read")
    return Place(scheme, host, found["port"] or _PORTS.get(scheme, ""), parts)


def _is_canonical(host: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def _unescaped(part: str) -> str:
    while (plain := unquote(part)) != part:
        part = plain
    return part


def entries(text: str) -> list[str]:
    """The entries of the environment variable: separated by commas, or a JSON list where a name has a comma.

    >>> entries("/mnt/stations, s3://bucket")
    ['/mnt/stations', 's3://bucket']

    Raises:
        SourceRefusedError: it begins like a JSON list, and is none of strings.
    """
    if not text.lstrip().startswith("["):
        return [entry.strip() for entry in text.split(",") if entry.strip()]
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(entry, str) for entry in found):
        raise SourceRefusedError(f"{VARIABLE} begins like a JSON list, and is none of strings; correct it")
    return found


@dataclass(frozen=True)
class Allowed:
    """What may be read.

    Attributes:
        folders: links resolved.
        places: addresses.
        own_folders, own_places: of the deployment itself; what lies below is read only where a longer entry says so.
    """

    folders: Sequence[PurePath] = ()
    places: Sequence[Place] = ()
    own_folders: Sequence[PurePath] = ()
    own_places: Sequence[Place] = ()

    def check_path(self, resolved: PurePath) -> None:
        """Judge a file or folder of this machine by where it really is.

        Raises:
            SourceRefusedError: no entry holds it.
        """
        yes, no = (
            max((len(one.parts) for one in many if resolved.is_relative_to(one)), default=-1)
            for many in (self.folders, self.own_folders)
        )
        if no >= yes and no >= 0:
            raise SourceRefusedError(f"it is, or a link in it leads to, this deployment's or the system's own; {_HINT}")
        if yes < 0:
            raise SourceRefusedError(f"it is, or a link in it leads to, no folder that may be read; {_HINT}")

    def check_place(self, asked: Place) -> bool:
        """Judge an address; whether its host is named, so that it may have an address that not everybody reaches.

        Raises:
            SourceRefusedError: no entry holds it.
        """
        yes = max((one for one in self.places if one.holds(asked)), key=lambda one: one.length, default=None)
        no = max((one.length for one in self.own_places if one.holds(asked)), default=-1)
        if yes is None or no >= yes.length:
            raise SourceRefusedError(f"its host or bucket is none that may be read; {_HINT}")
        return bool(yes.host)


_HINT = f"who runs this deployment may list it in the environment variable {VARIABLE} (docs/operations.md)"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the whole internet, whatever other one it carries inside.

    >>> is_public("93.184.216.34"), is_public("::ffff:127.0.0.1"), is_public("169.254.169.254")
    (True, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if int(ip) >> 32 == 0:
            return False
        if not all(is_public(str(one)) for one in inner if one is not None):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
