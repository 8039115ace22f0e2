"""Several servers under one terminal: start them, notice when one ends, stop all of them together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

GRACE = 7.0  # seconds between asking a server to end and ending it; a task of that length still finishes


class Supervisor:
    """Servers, each in a session of its own so that what they fork can be found and ends with them.

    From entering to leaving, Ctrl-C, SIGTERM and a closed terminal only set `stopping`; leaving stops every session.
    """

    def __init__(
        self, commands: Mapping[str, Sequence[str]], environments: Mapping[str, Mapping[str, str]], logs: Path
    ) -> None:
        self.stopping = False
        self.logs = logs
        self._commands, self._environments = commands, environments
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Supervisor:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop_soon)
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            for name, command in self._commands.items():
                with self.log_file(name).open("wb") as log:
                    self._processes[name] = subprocess.Popen(
                        command,
                        env=self._environments[name],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
        except OSError:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def log_file(self, name: str) -> Path:
        """Where a server's output goes."""
        return self.logs / f"{name}.log"

    def ended(self) -> str | None:
        """What to tell of a server that ended by itself, with the end of its log; None while all of them run."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                last = self.log_file(name).read_text(errors="replace").splitlines()[-15:]
                return "\n".join(
                    [
                        f"The {name} ended with exit code {process.returncode}. End of {self.log_file(name)}:",
                        *(f"    {line}" for line in last),
                    ]
                )
        return None

    def _stop_soon(self, number: int, frame: object) -> None:
        self.stopping = True

    def _stop(self) -> None:
        """End every session, the first server's last: the others report to it what they leave undone."""
        servers = list(self._processes.values())
        _end(servers[1:])
        _end(servers[:1])


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask every process of these sessions to end, then end what is left."""
    for process in processes:
        _signal(_session(process.pid), signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(deadline - time.monotonic(), 0.01))
        while members := _session(process.pid):
            _signal(members, signal.SIGKILL)
            time.sleep(0.05)
        # Dead by now, but ours to wait for: who is killed late is not in the session any more, and not yet collected.
        process.wait()


def _session(leader: int) -> list[int]:
    """Processes of a session that still run; Airflow gives tasks process groups of their own, never sessions."""
    members = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if process.info["status"] != psutil.STATUS_ZOMBIE and os.getsid(process.pid) == leader:
                members.append(process.pid)
    return members


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
