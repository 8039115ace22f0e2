"""Which files and addresses a value from outside may name: the judgement, before anything is opened."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracked_kedro.kedro_side.sources.rules import Allowed, SourceRefusedError, entries, is_public, place

SEGMENT = st.text("abc.-_ é%2F/\\", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("address", "is_read"),
    [
        ("https://data.example.org/stations/belem.csv", True),
        ("HTTPS://Data.Example.ORG./stations/", True),
        ("https://data.example.org:443/stations", True),
        ("https://data.example.org:8443/stations", False),
        ("http://data.example.org/stations", False),
        ("https://data.example.org/stationsx", False),
        ("https://data.example.org/", False),
        ("https://data.example.org/stations/../private", False),
        ("https://data.example.org/stations/%2e%2e/private", False),
        ("https://data.example.org/stations/%252e%252e/private", False),
        ("https://data.example.org/stations/a%2f..%2f..%2fprivate", False),
        ("https://data.example.org/stations/..\\private", False),
        ("https://data.example.org.evil.com/stations", False),
        ("https://data.example.org\\@evil.com/stations", False),
        ("https://data.example.org@evil.com/stations", False),
        ("https://data.example.org#@evil.com/stations", False),
        ("https://evil.com/?https://data.example.org/stations", False),
        ("https://\u24d3ata.example.org/stations", False),
        ("simplecache::https://data.example.org/stations/a.csv", False),
        ("filecache::file:///etc/passwd", False),
        ("zip://a.csv::https://data.example.org/stations/a.zip", False),
        ("s3://open/2024/stream.csv", True),
        ("s3://open-not/2024", False),
        ("s3://open/private/x", False),
        ("s3://open/private/shown/x", True),
        ("memory://x", False),
        ("data://x", False),
    ],
)
def test_an_address_is_judged_by_what_it_leads_to(address: str, is_read: bool) -> None:
    allowed = Allowed(
        places=[place("https://data.example.org/stations"), place("s3://open"), place("s3://open/private/shown")],
        own_places=[place("s3://open/private")],
    )
    if is_read:
        allowed.check_place(place(address))
    else:
        with pytest.raises(SourceRefusedError):
            allowed.check_place(place(address))


@given(st.lists(SEGMENT, max_size=5))
def test_no_path_leaves_the_entry_that_allows_it(segments: list[str]) -> None:
    """Whatever is put below an entry and accepted, a server that normalises it stays below the entry."""
    from urllib.parse import unquote

    allowed = Allowed(places=[place("https://host/open")])
    address = "/".join(["https://host/open", *segments])
    try:
        allowed.check_place(place(address))
    except SourceRefusedError:
        return
    path = address.removeprefix("https://host")
    while unquote(path) != path:
        path = unquote(path)
    assert os.path.normpath(path).startswith("/open")


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=4), st.data())
def test_the_longest_entry_decides_about_a_folder(parts: list[str], data: st.DataObject) -> None:
    folders = st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=3), max_size=3)
    root = PurePath("/")
    yes, no = ([root.joinpath(*one) for one in data.draw(folders)] for _ in range(2))
    asked = root.joinpath(*parts)
    longest = [max((len(one.parts) for one in many if asked.is_relative_to(one)), default=0) for many in (yes, no)]
    try:
        Allowed(folders=yes, own_folders=no).check_path(asked)
    except SourceRefusedError:
        assert longest[0] <= longest[1]
    else:
        assert longest[0] > longest[1]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
        ),
        *(
            "::1",
            "::",
            "fe80::1%eth0",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ),
        *("224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255", "::ffff:169.254.169.254"),
    ],
)
def test_an_address_of_no_public_network_is_none(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_what_carries_an_address_inside_is_judged_by_it(address: Any) -> None:
    number = int(address)
    wrapped = [f"::ffff:{address}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::"]
    wrapped.append(f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}")
    if not is_public(str(address)):
        assert not any(is_public(one) for one in wrapped)


@pytest.mark.parametrize("text", ["[1]", "[", '{"a": 1'])
def test_a_list_that_is_none_is_named(text: str) -> None:
    if text.startswith("["):
        with pytest.raises(SourceRefusedError, match="ALLOWED_SOURCES begins like a JSON list"):
            entries(text)
    assert entries('["/data/a,b"]') == ["/data/a,b"]
    assert entries(" ") == []
