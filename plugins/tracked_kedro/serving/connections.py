"""Connections of the server: whoever sends no request, or does not take the answer, keeps no place from the others."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 15.0  # seconds; a connection without progress ends after one to two times as long


class Connection(H11Protocol):
    """uvicorn's HTTP by h11, which bounds the head of a request (64 KiB), with an end to waiting for the other side.

    uvicorn itself waits for a head, and for an answer to be taken, as long as the other side likes. The body has a
    limit of its own, see `limited`.

        uvicorn.run(app, http=Connection)
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at it every now and then."""
        super().connection_made(transport)
        self.loop.call_later(PATIENCE, self._look, None)

    def _look(self, before: tuple[Any, ...] | None) -> None:
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            return
        now = self._waiting_for()
        if now is not None and now == before:
            # Not `close`, which would wait until what was written has been taken.
            self.transport.abort()
        else:
            self.loop.call_later(PATIENCE, self._look, now)

    def _waiting_for(self) -> tuple[Any, ...] | None:
        """What the other side has to do next, and for which request; None while it is our turn."""
        if self.transport.get_write_buffer_size():
            return "take the answer", id(self.cycle)
        if self.cycle is None or self.cycle.response_complete:
            return "send a head", id(self.cycle)
        return None
