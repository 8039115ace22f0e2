"""Servers that a value from outside names."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.fixtures.sources import CANARY, content
from tracked_kedro.kedro_side.sources.opening import source
from tracked_kedro.kedro_side.sources.rules import SourceRefusedError, is_public


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
