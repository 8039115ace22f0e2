"""Whether anything listens at the tracking server's address: MLflow's own client waits far longer for a lost host."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tracked_kedro.errors import UnavailableError

#: With what else a page does, a person hears of it within three seconds.
SECONDS = 2.5
_PORTS = {"http": 80, "https": 443}


def reach(address: str | None) -> None:
    """Open a connection to a server and close it again; nothing where it is a database, or behind a proxy.

        reach("http://127.0.0.1:5000")

    Args:
        address: of the tracking server.

    Raises:
        UnavailableError: it refuses connections, or none is made within `SECONDS`.
    """
    parts = urlsplit(address or "")
    host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    if host is None or port is None or parts.scheme not in _PORTS:
        return
    if parts.scheme in getproxies() and not proxy_bypass(host):
        return
    try:
        # A host may have several addresses, which are tried one after the other.
        places = len(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        socket.create_connection((host, port), timeout=SECONDS / places).close()
    except OSError as error:
        raise UnavailableError(f"{host}:{port} is not reached: {error}") from error
