"""A proxy before an HTTP server that leaves one request without an answer, or holds it up."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Cut = Literal["lost answer", "lost request", "held request", "held answer"]


class Proxy(ThreadingHTTPServer):
    """Hands requests on, and counts them; the one that is set to be cut is closed without an answer.

    One that is set to be held waits, before or after it is carried out, until `released` is set; then `reached` is.

    with started(address) as proxy:
        proxy.cut(3, "lost answer")
        ...  # use proxy.address; the third request from here on is carried out and not answered
        proxy.away = True  # until this is False again, no request reaches the server
    """

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.address = f"http://127.0.0.1:{self.server_port}"
        self._lock = threading.Lock()
        self.away = False
        self.cut(None, "lost answer")

    def cut(self, number: int | None, how: Cut) -> None:
        """Count from now on, and cut the request of this number, None for no one."""
        self.count, self.number, self.how = 0, number, how
        self.reached, self.released = threading.Event(), threading.Event()

    def hold(self) -> None:
        """Wait until whoever set the request to be held lets it go on."""
        released = self.released
        self.reached.set()
        assert released.wait(120), "nobody has released the request"

    def next(self) -> Cut | None:
        """Count one more request, and say what befalls it."""
        with self._lock:
            self.count += 1
            if self.away:
                return "lost request"
            return self.how if self.count == self.number else None


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def handle_one_request(self) -> None:
        """Of any method."""
        self.raw_requestline = self.rfile.readline()
        if not self.raw_requestline or not self.parse_request():
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        cut = self.server.next()
        self.close_connection = True
        if cut == "lost request":
            return
        if cut == "held request":
            self.server.hold()
        connection = http.client.HTTPConnection(self.server.target, timeout=60)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection")}
        connection.request(self.command, self.path, body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if cut == "lost answer":
            return
        if cut == "held answer":
            self.server.hold()
        self.send_response_only(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def started(target: str) -> Iterator[Proxy]:
    """A proxy before the server of this address, for as long as the block."""
    with Proxy(target) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
