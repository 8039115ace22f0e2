"""Values from outside are literals: which files and addresses they may name, and that they hold no secret."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePath
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracked_kedro.cli.settings import _sources
from tracked_kedro.kedro_side import locations
from tracked_kedro.kedro_side.config_loader import ConfigLoader, NotLiteralError
from tracked_kedro.kedro_side.plain_values import PLAIN, fault
from tracked_kedro.kedro_side.raw_inputs import RawInputs
from tracked_kedro.kedro_side.sources.local import open_without_links
from tracked_kedro.kedro_side.sources.opening import Source, allow, source
from tracked_kedro.kedro_side.sources.rules import Allowed, SourceRefusedError, entries, is_public, place

CANARY = "c4n4ry-7f3a"


def content(one: Source) -> str:
    with one.open() as file:
        return file.read().decode()


SEGMENT = st.text("abc.-_ é%2F/\\", min_size=1, max_size=6)


# --- the judgement ------------------------------------------------------------------------------------------------


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


# --- files of this machine ----------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose operator has listed nothing."""
    monkeypatch.setenv("ALLOWED_SOURCES", "")
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(tmp_path / "project"))
    for folder in (locations.raw_folder(), var / "sample", var / "data", tmp_path / "theirs"):
        folder.mkdir(parents=True)
        (folder / "rents.csv").write_text(CANARY)
    return tmp_path


def test_by_default_the_raw_folder_and_the_sample_are_read_and_nothing_else(project: Path, var: Path) -> None:
    for folder in (locations.raw_folder(), var / "sample"):
        assert content(source(str(folder / "rents.csv"))) == CANARY
    for path in (var / "data/rents.csv", var, project / "theirs/rents.csv", "/proc/self/environ", "/etc/passwd"):
        for written in (str(path), f"file://{path}", f"local://{path}", f"{locations.raw_folder()}/../../../{path}"):
            with pytest.raises(SourceRefusedError, match="ALLOWED_SOURCES") as refused:
                source(written)
            assert CANARY not in str(refused.value)


def test_what_configuration_names_is_read_with_what_lies_beside_it(project: Path) -> None:
    named = str(project / "theirs" / "rents.csv")
    assert source(named, [named]).at(str(project / "theirs" / "runtimes.csv")).exists() is False
    with pytest.raises(SourceRefusedError):
        source(str(project / "other.csv"), [named, None])


def test_an_allowed_folder_never_brings_what_the_deployment_made(
    project: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_SOURCES", f"{project},/")
    assert source(str(project / "theirs")).is_folder()
    for path in (var / "data/rents.csv", "/proc/self/environ", "/dev/zero"):
        with pytest.raises(SourceRefusedError, match="or the system's own"):
            source(str(path)).open()
    monkeypatch.setenv("ALLOWED_SOURCES", f"{var}/data")
    monkeypatch.setenv("RETRAINING_DATA", "s3://runs/data")
    assert source(f"{var}/data/rents.csv").exists()


@pytest.mark.parametrize("kind", ["file", "folder", "chain"])
def test_a_link_out_of_an_allowed_folder_does_not_count(project: Path, kind: str) -> None:
    raw, theirs = locations.raw_folder(), project / "theirs"
    if kind == "file":
        (raw / "link").symlink_to(theirs / "rents.csv")
    elif kind == "folder":
        (raw / "inner").symlink_to(theirs)
    else:
        (raw / "one").symlink_to(raw / "two")
        (raw / "two").symlink_to("../../../theirs/rents.csv")
    asked = raw / {"file": "link", "folder": "inner/rents.csv", "chain": "one"}[kind]
    with pytest.raises(SourceRefusedError):
        source(str(asked))
    with pytest.raises(SourceRefusedError):
        source(str(raw)).at(str(asked))


def test_a_link_inside_an_allowed_folder_counts(project: Path) -> None:
    (locations.raw_folder() / "newest.csv").symlink_to("rents.csv")
    assert content(source(str(locations.raw_folder() / "newest.csv"))) == CANARY


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_link_put_in_between_judging_and_opening_is_not_followed(
    project: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The adversary's file stands there when it is judged, and a link when it is opened."""
    inner = locations.raw_folder() / "inner"
    inner.mkdir()
    (inner / "rents.csv").write_text("mine")

    def swapping(path: Path) -> Any:
        if swapped == "file":
            (inner / "rents.csv").unlink()
            (inner / "rents.csv").symlink_to(project / "theirs" / "rents.csv")
        else:
            inner.rename(inner.with_name("before"))
            inner.symlink_to(project / "theirs")
        return open_without_links(path)

    monkeypatch.setattr("tracked_kedro.kedro_side.sources.opening.open_without_links", swapping)
    with pytest.raises(SourceRefusedError, match="cannot be opened"):
        RawInputs(locations.raw_inputs()).keep(source(str(inner / "rents.csv")))
    assert not Path(locations.raw_inputs()).exists()


def test_a_pipe_is_no_file(project: Path) -> None:
    os.mkfifo(locations.raw_folder() / "pipe.csv")
    with pytest.raises(SourceRefusedError, match="no regular file"):
        source(str(locations.raw_folder() / "pipe.csv")).open()


def test_whoever_starts_a_process_may_name_a_file_with_a_comma(project: Path) -> None:
    folder = project / "a, b"
    folder.mkdir()
    (folder / "rents.csv").write_text("mine")
    allow([str(folder / "rents.csv")])
    assert content(source(str(folder / "rents.csv"))) == "mine"
    assert source(str(folder / "rents.csv")).at(str(folder / "beside.csv")).exists() is False


# --- servers ------------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """`/secret` answers with the canary, `/away/<n>` redirects there with that status."""

    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if found := re.fullmatch(r"/away/(\d+)", self.path):
            self.send_response(int(found[1]))
            self.send_header("Location", "/secret")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CANARY)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(CANARY.encode())

    do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """A server of this machine, as a tracking server or the metadata of a cloud would be."""
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


READERS: list[Callable[[Any], Any]] = [
    lambda one: one.exists(),
    lambda one: one.is_folder(),
    lambda one: one.children(),
    lambda one: one.info(),
    content,
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "127.1"]
)
def test_no_spelling_of_this_machine_is_asked(
    port: int, host: str, read: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator allows every host of the internet; this machine is none of it."""
    monkeypatch.setenv("ALLOWED_SOURCES", "http://, https://")
    with pytest.raises(SourceRefusedError, match=r"this machine or of a private network|not an address") as refused:
        read(source(f"http://{host}:{port}/secret"))
    assert CANARY not in str(refused.value)
    assert Handler.asked == []


@pytest.mark.parametrize("read", READERS)
def test_a_name_that_changes_its_address_is_not_connected_to(
    port: int, read: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that answers with a public address first, and with this machine's own ever after."""
    answers = iter(["93.184.216.34"])
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, number: Any, *arguments: Any, **options: Any) -> Any:
        if host != "rebound.example.org":
            return real(host, number, *arguments, **options)
        asked.append(next(answers, "127.0.0.1"))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (asked[-1], int(number or 0)))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert is_public(socket.getaddrinfo("rebound.example.org", port)[0][4][0])
    monkeypatch.setenv("ALLOWED_SOURCES", "http://")
    with pytest.raises(SourceRefusedError, match="this machine or of a private network"):
        read(source(f"http://rebound.example.org:{port}/secret"))
    assert "127.0.0.1" in asked
    assert Handler.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("read", READERS)
def test_a_redirect_is_not_followed(
    port: int, status: int, read: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_SOURCES", f"http://127.0.0.1:{port}/away")
    with pytest.raises(SourceRefusedError, match="redirects elsewhere; name the address"):
        read(source(f"http://127.0.0.1:{port}/away/{status}"))
    assert "/secret" not in Handler.asked


def test_a_host_that_the_operator_names_is_read_wherever_it_is(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_SOURCES", f"http://127.0.0.1:{port}/")
    assert content(source(f"http://127.0.0.1:{port}/rents.csv")) == CANARY
    for other in (f"http://127.0.0.1:{port + 1}/rents.csv", "http://127.0.0.1/rents.csv"):
        with pytest.raises(SourceRefusedError, match="host or bucket is none that may be read"):
            source(other)


def test_a_proxy_of_the_environment_is_not_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look the name up by itself."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("ALLOWED_SOURCES", "http://")
    with pytest.raises(SourceRefusedError):
        source("http://10.0.0.1:9/secret").open()
    assert Handler.asked == []


# --- what a value must not hold -----------------------------------------------------------------------------------

WITH_SECRETS = [
    f"http://user:{CANARY}@host/x",
    f"http://{CANARY}@host/x",
    f"http://user:p@{CANARY}@host/x",
    f"http://user:{CANARY}/p@host/x",
    f"http:////user:{CANARY}@host/x",
    f"http://user%3A{CANARY}%40host/x",
    f"http://host\\{CANARY}@other/x",
    f"s3://key:{CANARY}@bucket/x",
    f"simplecache::http://user:{CANARY}@host/x",
    f"zip://a.csv::s3://key:{CANARY}@bucket/a.zip",
    f"https://account.blob.core.windows.net/c/x.csv?sv=2024&sig={CANARY}",
    f"https://bucket.s3.amazonaws.com/x?X-Amz-Signature={CANARY}",
    f"https://bucket.s3.amazonaws.com/x?X-Amz-Credential={CANARY}&X-Amz-Expires=60",
    f"https://storage.googleapis.com/b/x?X-Goog-Signature={CANARY}",
    f"https://host/x?token={CANARY}",
    f"https://host/x?a=1&access_TOKEN={CANARY}",
    f"https://host/x?a=1;apiKey={CANARY}",
    f"https://host/x#access_token={CANARY}",
    f"https://host/x?to%6ben={CANARY}",
    f"https://host/x?password={CANARY}",
    f"see https://user:{CANARY}@host for more",
]
PLAIN_ONES = [
    "",
    "belem, rio",
    "/data/stations",
    "../shared/data/stations",
    "s3://bucket/2024/{file}",
    "https://host:8443/stations/{file}?year=2019&format=csv",
    "http://[2001:db8::1]:80/x",
    "file:///data/stations",
    "https://host/@latest/x.csv",
    "see https://host/wiki, please",
    "me@example.org",
    "$5 {each}",
    "2024-01-01",
]


@pytest.mark.parametrize("value", WITH_SECRETS)
def test_a_credential_in_an_address_is_refused_by_name_at_every_entry(value: str, tmp_path: Path, var: Path) -> None:
    """By Airflow before it stores it; by the loader, which form, REST, make and --params share; by the reader."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, {"type": ["null", "string"], "pattern": PLAIN})
    (tmp_path / "conf" / "base").mkdir(parents=True)
    for parameters in ({"rents": {"file": value}}, {"rents": {"deep": [value]}}, {"run_key": value}):
        with pytest.raises(NotLiteralError, match=r"(rents|run_key).*credentials\.yml") as refused:
            ConfigLoader(str(tmp_path / "conf"), base_env="base", runtime_params=parameters)
        assert CANARY not in str(refused.value)
    with pytest.raises(SourceRefusedError) as not_read:
        source(value)
    assert CANARY not in str(not_read.value)


@pytest.mark.parametrize("value", PLAIN_ONES)
def test_other_values_are_taken_as_they_are(value: str) -> None:
    assert fault(value) is None
    jsonschema.validate(value, {"type": "string", "pattern": PLAIN})


@given(st.text("a:/@?=&#%${} sigtoken.\n\\[]", max_size=30))
@example("${")
@example("a\n${x}")
def test_airflow_s_pattern_and_the_loader_say_the_same(value: str) -> None:
    assert (fault(value) is None) == (re.search(PLAIN, value) is not None)


@given(st.text(st.characters(exclude_characters="/?#\\", exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_a_user_or_password_of_any_letters_is_found(secret: str) -> None:
    for value in (f"http://{secret}@host/x", f"s3://key:{secret}@bucket"):
        if not re.search(r"\s", secret):
            assert fault(value) is not None


@pytest.mark.parametrize("key", ["../other", "..", "a/b", "/etc"])
def test_a_run_s_folder_stays_among_those_of_the_runs(key: str, var: Path) -> None:
    with pytest.raises(ValueError, match="run_key"):
        locations.run_folder("rents", key)
    assert json.dumps(locations.run_folder("rents", "manual__2024-01-01")) == f'"{var}/data/rents/manual__2024-01-01"'


# --- commands ----------------------------------------------------------------------------------------------------


def test_a_command_may_read_what_it_names_and_a_run_from_elsewhere_may_not(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = {"make": {"RENTS": {"parameter": "rents", "path": True}, "CUTOFF": "cutoff"}}
    assert _sources(block) == ["rents"]
    with pytest.raises(SourceRefusedError):
        source(str(project / "theirs" / "rents.csv"))
    allow([str(project / "theirs")])
    assert content(source(str(project / "theirs" / "rents.csv"))) == CANARY
    with pytest.raises(SourceRefusedError):
        source("/etc/passwd")
