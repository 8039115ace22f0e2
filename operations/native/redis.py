"""Redis as a process: the broker between Airflow and Celery workers, with a password; Debian's redis-server."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path

from operations.native.errors import MissingPartError
from operations.native.ports import HOST, free_port
from operations.native.secrets import Secrets, write_secret


@dataclass(frozen=True)
class Redis:
    """A Redis server that keeps nothing on disk: Airflow sends again what a broker has lost."""

    folder: Path
    secrets: Secrets
    port: int = field(default_factory=free_port)

    def command(self) -> list[str]:
        """The command that serves it; the password is in a file that only its owner can read.

        Raises:
            MissingPartError: redis-server is missing.
        """
        program = shutil.which("redis-server")
        if program is None:
            raise MissingPartError(
                "redis-server is missing: as root, apt-get install redis-server (or make system-deps)"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "redis.conf"
        write_secret(
            settings, f'bind {HOST}\nport {self.port}\nrequirepass {self.secrets.redis}\nsave ""\ndir {self.folder}\n'
        )
        return [program, str(settings)]

    def url(self) -> str:
        """Its address for Celery. It holds the password: never log it."""
        return f"redis://:{self.secrets.redis}@{HOST}:{self.port}/0"

    def answers(self) -> bool:
        """Whether it answers whoever has the password."""
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.secrets.redis}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answer:
                    return [answer.readline().strip() for _ in range(2)] == [b"+OK", b"+PONG"]
        except OSError:
            return False
