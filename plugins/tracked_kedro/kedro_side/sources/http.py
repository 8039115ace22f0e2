"""HTTP whose connections are judged: by the address that is connected to, not by the name that it was looked up by."""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
from fsspec.implementations.http import HTTPFileSystem

from tracked_kedro.kedro_side.sources.rules import SourceRefusedError, is_public


class Connections:
    """Makes connections to public addresses alone, and follows no redirect.

    Attributes:
        refusal: why one was refused; file systems tell their callers only that something is not there.
    """

    def __init__(self, any_address: bool) -> None:
        """Any address is connected to where the operator has named the host."""
        self.any_address = any_address
        self.refusal: SourceRefusedError | None = None

    def socket(self, found: Any) -> socket.socket:
        """aiohttp's `socket_factory`: called with the very address that is connected to next."""
        family, kind, protocol, _, place = found
        if not self.any_address and not is_public(str(place[0])):
            self.refusal = SourceRefusedError(
                "its host has an address of this machine or of a private network, and is not named in ALLOWED_SOURCES"
            )
            raise PermissionError("an address of this machine or of a private network")
        return socket.socket(family, kind, protocol)

    async def _redirected(self, *_: Any) -> None:
        self.refusal = SourceRefusedError("it redirects elsewhere; name the address that it leads to")
        raise aiohttp.ClientPayloadError("redirects are not followed")

    async def client(self, loop: Any, **options: Any) -> aiohttp.ClientSession:
        """fsspec's `get_client`."""
        tracing = aiohttp.TraceConfig()
        tracing.on_request_redirect.append(self._redirected)
        connector = aiohttp.TCPConnector(socket_factory=self.socket, use_dns_cache=False)
        return aiohttp.ClientSession(connector=connector, trace_configs=[tracing], trust_env=False, **options)


def http_filesystem(connections: Connections, timeout: float | None, options: dict[str, Any]) -> HTTPFileSystem:
    """A file system of its own, with the connections.

    Args:
        connections: what it may connect to.
        timeout: seconds for one request, None for aiohttp's own.
        options: of fsspec's HTTPFileSystem, such as `headers`.
    """
    client = {"timeout": aiohttp.ClientTimeout(total=timeout)} if timeout else {}
    return HTTPFileSystem(get_client=connections.client, client_kwargs=client, skip_instance_cache=True, **options)
