"""Loopback ports: free ones, and those that a person asked for."""

from __future__ import annotations

import os
import socket

import click

HOST = "127.0.0.1"


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    """Whether somebody takes connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def wanted_port(variable: str, default: int) -> int:
    """The port that the variable names, or the next free one.

    Raises:
        click.ClickException: the variable holds no port, or no port is free.
    """
    wanted = os.environ.get(variable) or str(default)
    if not wanted.isdecimal() or not 1 <= int(wanted) <= 65535:
        raise click.ClickException(f"{variable} is {wanted!r}; a port is a number from 1 to 65535")
    first = int(wanted)
    for port in range(first, min(first + 50, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if port != first:
            click.echo(f"Port {first} is busy; {port} is taken ({variable}=<port> sets another)")
        return port
    raise click.ClickException(f"No free port from {first} on; name another with {variable}=<port>")
