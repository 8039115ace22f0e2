"""What the checks of `make doctor` share. Standard library only."""

from __future__ import annotations

import socket
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Finding:
    """What one check found; the message of a problem ends with the remedy."""

    subject: str
    message: str
    well: bool = True

    def __str__(self) -> str:
        """One line of the report."""
        return f"{'ok' if self.well else 'PROBLEM':8} {self.subject:10} {self.message}"


def wrong(subject: str, message: str) -> Finding:
    """A problem; the message ends with the remedy."""
    return Finding(subject, message, well=False)


def listens(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
