"""Who was started ends with whoever started them, also by `kill -9`, and what is left is found by the next start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.doctor import native as doctor_native
from operations.locations import NATIVE, PROCESSES
from operations.native import children, postgres
from operations.native.children import Alive, Children, alive
from operations.native.errors import StackError
from tests.deployment import ROOT

# A server that forks a worker which is deaf to SIGTERM, and one in a session of its own which only the mark tells.
SERVER = """
import os, signal, sys, time
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
elif os.fork() == 0:
    os.setsid()
time.sleep(600)
"""
COMMAND = """
import os, sys, time
from pathlib import Path
from operations.native import children
from operations.native.supervisor import Supervisor
children.GRACE = 0.5
folder = Path(sys.argv[1])
command = {"server": [sys.executable, "-c", sys.argv[2]]}
with children.Children(folder / "processes") as started:
    with Supervisor(command, {"server": dict(os.environ)}, folder / "logs", started):
        print("started", flush=True)
        time.sleep(600)
"""


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def command(tmp_path: Path):
    """The process id of a command that has started a server of three processes, and its file."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(COMMAND), str(tmp_path), SERVER],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    file = tmp_path / "processes"
    until(lambda: len(alive(file)) == 3)
    yield process, file
    process.kill()
    process.wait()
    process.stdout.close()
    children.end(file)


def guard_of(pid: int) -> int:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(int(child) for child in found if b"children.py" in Path(f"/proc/{child}/cmdline").read_bytes())


def test_kill_9_of_the_command_ends_its_children(command):
    process, file = command
    assert sorted(one.name for one in alive(file)) == ["", "server", "server"]
    pids = [one.pid for one in alive(file)]
    process.kill()
    process.wait()
    until(lambda: not file.exists())
    assert [pid for pid in pids if children._begin(pid) and not children._is_zombie(pid)] == []


def test_kill_9_of_the_guard_too_leaves_them_to_the_next_start_and_doctor_names_them(command, var: Path, monkeypatch):
    process, file = command
    monkeypatch.setattr(children, "GRACE", 0.5)
    os.kill(guard_of(process.pid), signal.SIGKILL)
    process.kill()
    process.wait()
    left = alive(file)
    assert len(left) == 3
    target = var / PROCESSES[NATIVE]
    target.parent.mkdir()
    target.write_text(file.read_text())
    (line,) = [str(finding) for finding in doctor_native.left_processes()]
    assert "3 of a `make native` that was killed still run (its own, server): make native ends them first" in line
    with Children(file):
        assert not {one.pid for one in left} & {one.pid for one in alive(file)}
    assert list(doctor_native.left_processes()) == []


def test_processes_of_others_are_nobody_s_to_end(tmp_path: Path):
    file = tmp_path / "processes"
    mine = children._begin(os.getpid())
    # The same id at another start; another boot; a line that was cut off.
    file.write_text(f"{children._boot()} mark\n{os.getpid()} {mine - 1} other\n{os.getpid()} {mine}")
    assert alive(file) == []
    file.write_text(f"another-boot mark\n{os.getpid()} {mine} other\n")
    assert alive(file) == []
    file.write_text("")
    assert alive(file) == []
    leader = os.getsid(0)
    file.write_text(f"{children._boot()} mark\n{leader} {children._begin(leader)} pytest\n")
    assert Alive(os.getpid(), "pytest") in alive(file)


def test_a_stale_lock_of_postgres_is_removed_and_a_running_server_named(var: Path):
    data = var / "native" / "postgres" / "data"
    data.mkdir(parents=True)
    lock = data / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{data}\n")  # the id of a process that is no Postgres
    postgres._remove_stale_lock(data)
    assert not lock.exists()
    assert list(doctor_native.left_processes()) == []
    server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "-D", str(data)])
    try:
        lock.write_text(f"{server.pid}\n{data}\n")
        with pytest.raises(StackError, match=f"kill -INT {server.pid}"):
            postgres._remove_stale_lock(data)
        (line,) = [str(finding) for finding in doctor_native.left_processes()]
        assert line.endswith(f"is no stack's: kill -INT {server.pid}")
    finally:
        server.kill()
        server.wait()
