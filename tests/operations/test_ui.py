"""What `make ui` decides before and around its servers, with small servers in the place of Airflow and MLflow."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import psutil
import pytest

from operations.native import ui
from tests.deployment import ROOT


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


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
    monkeypatch.setattr(ui, "SERVICES", {})
    sleeper = [sys.executable, "-c", f"import time; time.sleep(60)  # {var}"]
    failing = python("print('the cupboard is bare'); raise SystemExit(3)")
    monkeypatch.setattr(ui, "_mlflow", lambda: ("http://127.0.0.1:9", {"sleeper": sleeper, "mlflow": failing}))
    assert ui.serve() == 1
    assert "mlflow ended with exit code 3" in (message := capsys.readouterr().err)
    assert "the cupboard is bare" in message
    assert str(var / "logs" / "mlflow.log") in message
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(var) in str(p.info["cmdline"])]


def test_a_server_that_never_answers_is_given_up(var, monkeypatch, capsys, handlers):
    monkeypatch.setenv("READY_WITHIN", "0.5")
    monkeypatch.setattr(ui, "SERVICES", {})
    monkeypatch.setattr(
        ui, "_mlflow", lambda: ("http://127.0.0.1:9", {"mlflow": python("import time; time.sleep(60)")})
    )
    assert ui.serve() == 1
    assert "Airflow and MLflow did not answer" in capsys.readouterr().err


def test_the_command_itself_tells_what_is_missing():
    environment = {name: value for name, value in os.environ.items() if name != "AIRFLOW_HOME"}
    done = subprocess.run(
        [sys.executable, "-m", "operations", "ui"],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "AIRFLOW_HOME is not set" in done.stderr
