"""What `make ui` decides before and around its servers, with small servers in the place of Airflow and MLflow."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import click
import psutil
import pytest

from retraining.commands import ui
from retraining.commands.supervisor import Supervisor

# A server that forks a worker which is deaf to SIGTERM, in a process group of its own as Airflow's tasks are.
STUBBORN = """
import os, signal, time
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def handlers():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_busy_port_gives_way_to_the_next_and_says_so(monkeypatch, capsys):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        monkeypatch.setenv("AIRFLOW_PORT", str(port))
        taken = ui._port("AIRFLOW_PORT", 8080)
    assert taken > port
    assert f"Port {port} is busy; {taken} is taken" in capsys.readouterr().out


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_named(monkeypatch, port):
    monkeypatch.setenv("MLFLOW_PORT", port)
    with pytest.raises(click.ClickException, match=r"MLFLOW_PORT is .* from 1 to 65535"):
        ui._port("MLFLOW_PORT", 5050)


def test_the_password_is_made_once_and_for_its_owner_only(tmp_path):
    first = ui._password(tmp_path / "airflow")
    assert len(first) >= 16
    assert ui._password(tmp_path / "airflow") == first
    assert (tmp_path / "airflow" / ui.PASSWORDS).stat().st_mode & 0o777 == 0o600
    assert ui._password(tmp_path / "other") != first


@pytest.mark.parametrize("content", ["", "[]", '{"someone": "x"}'])
def test_a_password_file_without_the_user_is_refused_with_the_remedy(tmp_path, content):
    (tmp_path / ui.PASSWORDS).write_text(content)
    with pytest.raises(click.ClickException, match="remove the file"):
        ui._password(tmp_path)


def test_a_tracking_server_that_runs_already_is_shown_not_started(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000/")
    assert ui._mlflow() == ("http://127.0.0.1:5000", {})


def test_without_a_deployment_the_remedy_is_named(monkeypatch):
    monkeypatch.delenv("AIRFLOW_HOME", raising=False)
    with pytest.raises(click.ClickException, match="make ui"):
        ui.serve()


def test_a_server_that_ends_is_named_with_the_end_of_its_log_and_stops_the_others(var, monkeypatch, capsys, handlers):
    monkeypatch.setattr(ui, "AIRFLOW_PARTS", {})
    sleeper = [sys.executable, "-c", f"import time; time.sleep(60)  # {var}"]
    failing = python("print('the cupboard is bare'); raise SystemExit(3)")
    monkeypatch.setattr(ui, "_mlflow", lambda: ("http://127.0.0.1:9", {"sleeper": sleeper, "mlflow": failing}))
    assert ui.serve() == 1
    assert "mlflow ended with exit code 3" in (message := capsys.readouterr().err)
    assert "the cupboard is bare" in message
    assert str(var / "logs" / "mlflow.log") in message
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(var) in str(p.info["cmdline"])]


def test_a_server_that_never_answers_is_given_up(var, monkeypatch, capsys, handlers):
    monkeypatch.setattr(ui, "READY_WITHIN", 0.5)
    monkeypatch.setattr(ui, "AIRFLOW_PARTS", {})
    monkeypatch.setattr(
        ui, "_mlflow", lambda: ("http://127.0.0.1:9", {"mlflow": python("import time; time.sleep(60)")})
    )
    assert ui.serve() == 1
    assert "Airflow and MLflow did not answer" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_and_workers_deaf_to_it_end_with_their_server(tmp_path, monkeypatch, handlers, number):
    monkeypatch.setattr("retraining.commands.supervisor.GRACE", 0.5)
    # Other tests of this session may keep servers of their own.
    before = set(psutil.Process().children(recursive=True))
    with Supervisor({"first": python(STUBBORN), "second": python(STUBBORN)}, dict(os.environ), tmp_path) as servers:
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
    with pytest.raises(FileNotFoundError), Supervisor(commands, dict(os.environ), tmp_path):
        pass
    assert {process.pid for process in psutil.Process().children()} <= before


def test_the_command_itself_tells_what_is_missing():
    environment = {name: value for name, value in os.environ.items() if name != "AIRFLOW_HOME"}
    done = subprocess.run(
        [sys.executable, "-m", "retraining", "ui"],
        env={**environment, "PYTHONPATH": "kedro_project/src"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "AIRFLOW_HOME is not set" in done.stderr
