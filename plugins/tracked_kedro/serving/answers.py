"""What goes wrong in a model is told to whoever asked in one sentence, and to who runs the server in full."""

from __future__ import annotations

import json
import logging
from typing import Any

log = logging.getLogger(__name__)

_LONGEST = 2_000  # characters of a message; MLflow's repeat the request


class WithoutTrace:
    """ASGI's `send`, that keeps MLflow's stack traces, which show paths and lines of code, for the log.

    await app(scope, receive, WithoutTrace(send))
    """

    def __init__(self, send: Any) -> None:
        self._send, self._body = send, bytearray()
        self._start: dict[str, Any] | None = None

    async def __call__(self, message: dict[str, Any]) -> None:
        """Hand on a message, that of an error once it is complete."""
        if message["type"] == "http.response.start" and message["status"] >= 400:
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                body = _told(bytes(self._body))
                headers = [one for one in self._start.get("headers", []) if one[0].lower() != b"content-length"]
                headers.append((b"content-length", str(len(body)).encode()))
                await self._send({**self._start, "headers": headers})
                await self._send({"type": "http.response.body", "body": body})


def _told(body: bytes) -> bytes:
    try:
        found = json.loads(body)
    except ValueError:
        return body[:_LONGEST]
    if not isinstance(found, dict):
        return body[:_LONGEST]
    if trace := found.pop("stack_trace", None):
        log.warning("A request could not be answered:\n%s", trace)
    if isinstance(message := found.get("message"), str) and len(message) > _LONGEST:
        # Its end says what is wrong; its beginning repeats the request.
        found["message"] = f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
    return json.dumps(found).encode()
