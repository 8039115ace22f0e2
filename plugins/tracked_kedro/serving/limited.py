"""An ASGI application that lets through to a model's scorer what keeps the limits, a bounded number at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tracked_kedro.serving.answers import WithoutTrace
from tracked_kedro.serving.limits import Limits, RefusedError, rows_asked_for

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

INVOCATIONS = "/invocations"
BODY_SECONDS = 30.0  # within which a request has to be there


class Lanes:
    """Who may ask the model now: a large request waits for the large one before it, and a small one passes both.

    Args:
        limits: `at_once` requests are answered at a time, as many again wait, and more are refused; one that wants a
            tenth of `rows` is large.

    Attributes:
        inside: requests that are answered or wait.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.inside = 0
        self._large, self._all = asyncio.Semaphore(1), asyncio.Semaphore(limits.at_once)

    @asynccontextmanager
    async def enter(self, rows: int) -> AsyncIterator[None]:
        """Wait for one's turn.

        Raises:
            RefusedError: too many wait already.
        """
        if self.inside >= 2 * self._limits.at_once:
            raise RefusedError(503, f"{self.inside} requests wait already (SERVING_MAX_AT_ONCE); try again later")
        self.inside += 1
        try:
            if rows * 10 > self._limits.rows:
                async with self._large, self._all:
                    yield
            else:
                async with self._all:
                    yield
        finally:
            self.inside -= 1


class Limited:
    """MLflow's scorer behind the limits.

    Args:
        app: the scorer.
        model: that it asks.
        limits: of one request.
        lanes: of all requests, whichever version answers them.
    """

    def __init__(self, app: App, model: Any, limits: Limits, lanes: Lanes) -> None:
        self._app, self._model, self._limits, self._lanes = app, model, limits, lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] != INVOCATIONS or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._body(scope, receive)
            rows = await asyncio.to_thread(rows_asked_for, body, self._model, self._limits)
            async with self._lanes.enter(rows):
                await self._app(scope, _again(body, receive), WithoutTrace(send))
        except RefusedError as error:
            await refuse(error.status, str(error), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        # Of two, the scorer may believe the other one.
        kinds = [
            value.partition(b";")[0].strip().lower() for name, value in scope["headers"] if name == b"content-type"
        ]
        if kinds != [b"application/json"]:
            raise RefusedError(415, "only application/json is taken")
        too_long = RefusedError(413, f"the body has more than {self._limits.body} bytes (SERVING_MAX_BODY)")
        told = headers.get(b"content-length", b"0")
        if told.isdigit() and int(told[:20]) > self._limits.body:
            raise too_long
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > self._limits.body:
                        raise too_long
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise RefusedError(408, f"the request was not there within {BODY_SECONDS:.0f} seconds") from error


def _again(body: bytes, receive: Receive) -> Receive:
    """What was received, once more."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> dict[str, Any]:
        return messages.pop() if messages else await receive()

    return receive_again


async def refuse(status: int, message: str, send: Send, *headers: tuple[bytes, bytes]) -> None:
    """Answer with a message as JSON."""
    told = [(b"content-type", b"application/json"), (b"connection", b"close"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": json.dumps({"message": message}).encode()})
