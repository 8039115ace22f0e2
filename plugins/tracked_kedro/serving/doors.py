"""Who may ask the server at all: a list of host names, and a token."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from tracked_kedro.hosts import known_by_name
from tracked_kedro.serving.limited import App, Receive, Scope, Send, refuse

SHORTEST = 16  # characters of a token
# What probes ask; it tells whether there is a version and nothing else.
OPEN = ("/ping", "/health")


class WithToken:
    """Answers 401 to requests without the token, `Authorization: Bearer <token>`."""

    def __init__(self, app: App, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        given = next((value for name, value in scope.get("headers", ()) if name == b"authorization"), b"")
        kind, _, token = given.partition(b" ")
        if scope.get("path") in OPEN or (kind.lower() == b"bearer" and hmac.compare_digest(token, self._token)):
            await self._app(scope, receive, send)
        else:
            await refuse(401, "a token is needed: Authorization: Bearer …", send, (b"www-authenticate", b"Bearer"))


def guarded(app: App) -> App:
    """The application behind what the environment says: ALLOWED_HOSTS (see `hosts`), SERVING_TOKEN (a file).

    Raises:
        ValueError: the token's file is absent, or holds no strong token; ALLOWED_HOSTS holds what is no name.
    """
    if file := os.environ.get("SERVING_TOKEN"):
        app = WithToken(app, _token(Path(file)))
    behind: App = known_by_name(app)
    return behind


def _token(file: Path) -> str:
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        # Whoever mistakes the variable for the token shall not find that in a log.
        raise ValueError("SERVING_TOKEN names no file that can be read; write the token to one, and name it") from error
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"SERVING_TOKEN names a file without a token of {SHORTEST} or more letters and digits")
    return token
