"""Servers under one terminal, with small servers in the place of real ones."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from operations.native import children, supervisor
from operations.native.children import Children
from operations.native.stack import _launch
from operations.native.supervisor import Supervisor

# A server that forks a worker which is deaf to SIGTERM, in a process group of its own as Airflow's tasks are.
STUBBORN = """
import os, signal, time
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def supervised(commands: dict[str, list[str]], logs: Path, started: Children) -> Supervisor:
    return Supervisor(commands, dict.fromkeys(commands, os.environ), logs, started)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_and_workers_deaf_to_it_end_with_their_server(tmp_path, monkeypatch, handlers, number):
    monkeypatch.setattr(children, "GRACE", 0.5)
    # Other tests of this session may keep servers of their own.
    before = set(psutil.Process().children(recursive=True))
    commands = {"first": python(STUBBORN), "second": python(STUBBORN)}
    with Children(tmp_path / "processes") as started, supervised(commands, tmp_path, started) as servers:
        while not all(servers.log_file(name).read_text().count("up") == 2 for name in ("first", "second")):
            assert servers.ended() is None
            time.sleep(0.05)
        family = set(psutil.Process().children(recursive=True)) - before
        assert len(family) >= 4
        os.kill(os.getpid(), number)
        assert servers.stopping
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("order", [("good", "bad"), ("bad", "good")])
def test_a_command_that_cannot_start_leaves_nothing_behind(tmp_path, handlers, order):
    programs = {"good": python("import time; time.sleep(60)"), "bad": ["/no/such/program"]}
    commands = {name: programs[name] for name in order}
    before = {process.pid for process in psutil.Process().children()}
    with (
        Children(tmp_path / "processes") as started,
        pytest.raises(FileNotFoundError),
        supervised(commands, tmp_path, started),
    ):
        pass
    assert {process.pid for process in psutil.Process().children()} <= before


class Interrupting(dict[str, list[str]]):
    """Commands; Ctrl-C comes while they are being started."""

    def items(self):
        signal.raise_signal(signal.SIGINT)
        return super().items()


def test_ctrl_c_while_servers_are_started_is_not_lost(tmp_path):
    commands = Interrupting(sleeper=["/bin/sleep", "60"])
    with pytest.raises(KeyboardInterrupt), contextlib.ExitStack() as parts:
        started = parts.enter_context(Children(tmp_path / "processes"))
        _launch(parts, commands, {"sleeper": {}}, tmp_path / "logs", started)
    assert (tmp_path / "logs" / "sleeper.log").exists()


def test_the_log_of_a_crash_outlives_the_starts_that_follow(tmp_path, handlers):
    texts = []
    for attempt in range(5):
        with (
            Children(tmp_path / "processes") as started,
            supervised({"server": python(f"print('attempt {attempt}')")}, tmp_path, started) as servers,
        ):
            while servers.ended() is None:
                time.sleep(0.02)
            texts = [file.read_text().strip() for file in sorted(tmp_path.glob("server.log*"))]
    assert texts == [f"attempt {attempt}" for attempt in (4, 3, 2, 1)]


def test_one_server_is_started_anew(tmp_path, handlers):
    commands = {"first": python("import os, time; print(os.getpid(), flush=True); time.sleep(60)")}
    with Children(tmp_path / "processes") as started, supervised(commands, tmp_path, started) as servers:
        seen = set()
        for _ in range(2):
            while not (text := servers.log_file("first").read_text().strip()) or text in seen:
                time.sleep(0.02)
            seen.add(text)
            servers.restart("first", signal.SIGKILL)
        assert len(seen) == 2
        assert servers.ended() is None


def test_a_server_that_ended_by_itself_is_started_again_with_what_it_has_left(tmp_path, handlers):
    commands = {"server": python(STUBBORN)}
    with Children(tmp_path / "processes") as started, supervised(commands, tmp_path, started) as servers:
        while servers.log_file("server").read_text().count("up") < 2:
            time.sleep(0.05)
        leader = servers._processes["server"].pid
        first = children.members(leader)
        os.kill(leader, signal.SIGKILL)
        told = []
        while not told:
            told = servers.mend()
            time.sleep(0.05)
        assert told[0].startswith("The server ended by itself (exit code -9) and was started again (1 of 5 times")
        assert servers.ended() is None
        assert servers.given_up() is None
        assert servers.mend() == []
        # What its worker held is free again.
        assert not set(first) & set(children.members(leader))
        assert "up" in servers.log_file("server").with_name("server.log.1").read_text()


def test_a_server_that_ends_again_and_again_stays_ended_and_is_told_of(tmp_path, monkeypatch, handlers):
    monkeypatch.setattr(supervisor, "DEATHS", 2)
    commands = {
        "server": python("print('no port'); raise SystemExit(3)"),
        "other": python("import time; time.sleep(60)"),
    }
    with Children(tmp_path / "processes") as started, supervised(commands, tmp_path, started) as servers:
        told = []
        while (problem := servers.given_up()) is None:
            told += servers.mend()
            time.sleep(0.05)
        assert len(told) == 1
        assert problem.startswith("The server ended with exit code 3.")
        assert "no port" in problem
        assert servers.mend() == []


def test_a_server_that_somebody_restarts_has_not_ended_by_itself(tmp_path, handlers):
    commands = {"server": python("import time; time.sleep(60)")}
    with Children(tmp_path / "processes") as started, supervised(commands, tmp_path, started) as servers:
        servers.restart("server", signal.SIGKILL)
        assert servers.mend() == []
        assert servers.ended() is None
