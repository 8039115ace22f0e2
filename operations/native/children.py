"""Processes that a command starts end with it, however it ends, and the next start finds what is left.

Each command writes down whom it has started, in a file of its deployment folder, and gives all of them a mark in the
environment. A guard, a small process in a session of its own, waits for the command's end: killed, the command leaves
the file, and the guard ends who stands in it. Where the guard was killed too, the next start does that.

Standard library only: the guard starts in milliseconds, and `make doctor` runs without an environment. From `/proc`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

#: Variable that all have in their environment who come from one start.
MARK = "RETRAINING_STARTED_BY"
GRACE = 7.0  # seconds between asking a process to end and ending it; a task of that length still finishes
_PROC = Path("/proc")


@dataclass(frozen=True)
class Alive:
    """A process that runs, and the name of the server that it belongs to ("" where only the mark tells that)."""

    pid: int
    name: str


class Children:
    """Whom a command has started.

    with Children(folder / "processes") as children: ... children.add("postgres", pid)

    Entering ends who is left of an earlier start on the same file.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._mark = file, secrets.token_hex(16)
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What everyone gets who is started."""
        return {MARK: self._mark}

    def __enter__(self) -> Children:
        end(self._file)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(f"{_boot()} {self._mark}\n")
        # Isolated: nothing of the environment or the folder that it is started in decides what it imports.
        command = [sys.executable, "-I", "-S", __file__, str(self._file)]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        return self

    def add(self, name: str, pid: int) -> None:
        """Note a process that leads a session."""
        with self._file.open("a") as file:
            file.write(f"{pid} {_begin(pid)} {name}\n")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        end(self._file)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()


def alive(file: Path) -> list[Alive]:
    """Who still runs of those that a command has started, provably: leaders by the moment of their start, members of
    their sessions, and whoever has the mark. Nobody where the file is of an earlier boot of this machine, or missing.
    """
    try:
        (boot, mark), *rows = (line.split(maxsplit=2) for line in file.read_text().splitlines())
    except (OSError, ValueError):
        return []
    if boot != _boot():
        return []
    # A line that was cut off in its middle is no row.
    leaders = {int(row[0]): row[2] for row in rows if len(row) == 3 and row[1] == str(_begin(int(row[0])))}
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            if _is_zombie(pid):
                continue
            session = os.getsid(pid)
            if session in leaders:
                found.append(Alive(pid, leaders[session]))
            elif pid != os.getpid() and _has(pid, mark):
                found.append(Alive(pid, ""))
    return found


def end(file: Path) -> list[Alive]:
    """End who still runs, and remove the file.

    Returns:
        Whom it found.
    """
    found = alive(file)
    terminate(lambda: [one.pid for one in alive(file)])
    file.unlink(missing_ok=True)
    return found


def terminate(who) -> None:
    """Ask processes to end, then end what is left.

    Args:
        who: returns the ids of those that still run.
    """
    send(who(), signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while left := who():
        if time.monotonic() > deadline:
            send(left, signal.SIGKILL)
        time.sleep(0.05)


def members(leader: int) -> list[int]:
    """Processes of a session that still run; Airflow gives tasks process groups of their own, never sessions."""
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == leader and not _is_zombie(pid):
                found.append(pid)
    return found


def send(pids: Sequence[int], number: int) -> None:
    """Send a signal to each of them that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def _stat(pid: int) -> list[str]:
    """Fields of a process's state, from the third on: its name, in brackets, may hold anything."""
    return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()


def _begin(pid: int) -> int | None:
    """When a process began, in clock ticks since this machine's boot."""
    try:
        return int(_stat(pid)[19])
    except OSError:
        return None


def _is_zombie(pid: int) -> bool:
    return _stat(pid)[0] == "Z"


def _has(pid: int, mark: str) -> bool:
    """Whether it has the mark. Servers that write their title over their environment have lost it."""
    return f"{MARK}={mark}".encode() in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _guard_until_end_of_input(file: Path) -> None:
    """What the guard does. Its input ends when the command that holds the other end is no more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end(file)


if __name__ == "__main__":
    _guard_until_end_of_input(Path(sys.argv[1]))
