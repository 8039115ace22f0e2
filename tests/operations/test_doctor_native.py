"""What `make doctor` says of the environment, the embedded stores and the native stack."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.doctor import native as doctor_native
from operations.native.ports import free_port
from operations.native.secrets import RUNNING, Secrets, write_secret
from tests.deployment import ROOT
from tracked_kedro.cli.locks import NATIVE, only_one

LOCK = """\
flask-wtf==1.3.0 \\
    --hash=sha256:00
contourpy==1.3.3 ; python_full_version < '3.12' \\
    --hash=sha256:00
contourpy==1.4.0 ; python_full_version >= '3.12' \\
    --hash=sha256:00
tomli==2.0 ; python_full_version < '3.11' \\
    --hash=sha256:00
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A checkout whose .venv holds the given packages, as they name their folders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.lock").write_text(LOCK)

    def make(*packages: str) -> None:
        for package in packages:
            (tmp_path / f".venv/lib/python3.11/site-packages/{package}.dist-info").mkdir(parents=True)
        (tmp_path / ".venv/.installed").touch()

    return make


def reported(check: Callable) -> list[str]:
    return [str(finding) for finding in check()]


def test_an_environment_as_locked_is_well_whatever_does_not_apply_to_this_python(environment):
    environment("Flask_WTF-1.3.0", "contourpy-1.3.3", "of_mine-1.0")
    assert reported(doctor_native.python) == ["ok       python     .venv is as requirements.lock says"]


def test_other_versions_and_missing_packages_are_named(environment):
    environment("contourpy-1.2.0")
    (line,) = reported(doctor_native.python)
    assert line.startswith("PROBLEM  python")
    assert "flask-wtf is missing, contourpy 1.2.0 instead of 1.3.3 or 1.4.0" in line
    assert line.endswith(": rm .venv/.installed && make setup")


def test_without_an_environment_nothing_is_wrong(environment):
    assert "make setup builds it" in reported(doctor_native.python)[0]


def test_a_broken_database_is_recognised(var: Path, empty_database: Path):
    assert reported(doctor_native.embedded_stores) == []
    file = var / "mlflow" / "mlflow.db"
    shutil.copy(empty_database, file)
    (line,) = reported(doctor_native.embedded_stores)
    assert line.startswith("ok       stores     MLflow's database is whole")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    (line,) = reported(doctor_native.embedded_stores)
    assert line.startswith("PROBLEM  stores")
    assert str(file) in line
    assert line.endswith("put a copy there, or begin anew: make clean")


def test_a_secret_that_others_can_read_or_that_is_weak_is_named(var: Path):
    native = var / "native"
    native.mkdir()
    assert reported(doctor_native.native_secrets) == []
    Secrets.of(native)
    assert reported(doctor_native.native_secrets)[0].startswith("ok       secrets")
    file = native / "secrets.json"
    file.write_text(file.read_text().replace(Secrets.of(native).airflow_admin, "admin"))
    file.chmod(0o640)
    readable, weak = reported(doctor_native.native_secrets)
    assert readable.endswith(f"{file} can be read by others (mode 640): chmod 600 {file}")
    assert "'airflow_admin'" in weak
    assert "Remove its line" in weak


def test_ports_of_a_running_stack_are_its_own_and_must_answer(var: Path, monkeypatch: pytest.MonkeyPatch):
    native = var / "native"
    native.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as answers, socket.create_server(("127.0.0.1", 0)) as other:
        mine, closed = answers.getsockname()[1], free_port()
        lines = [
            f"MLFLOW_BACKEND_STORE_URI=postgresql+psycopg2://mlflow:x@127.0.0.1:{closed}/mlflow",
            *(f"{name}=http://127.0.0.1:{mine}" for name in ("ARTIFACTS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")),
            f"MLFLOW_TRACKING_URI=http://127.0.0.1:{mine}",
        ]
        write_secret(native / RUNNING, "\n".join(lines) + "\n")
        monkeypatch.setenv("MLFLOW_PORT", str(mine))
        monkeypatch.setenv("AIRFLOW_PORT", str(other.getsockname()[1]))
        with only_one(NATIVE, ""):
            silent, well, taken = reported(doctor_native.native_ports)
        assert silent.startswith(f"PROBLEM  ports      127.0.0.1:{closed} does not answer though it is Postgres")
        assert well == f"ok       ports      127.0.0.1:{mine} is MLflow of the native stack"
        assert taken.startswith(f"ok       ports      {other.getsockname()[1]} is taken; make ui and make native")


def test_a_port_that_is_none_is_named(var: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_PORT", "eighty")
    assert "AIRFLOW_PORT is 'eighty': a port is a number" in reported(doctor_native.native_ports)[0]


def test_parents_out_of_step_are_counted(var: Path):
    def found(**known: object) -> str:
        base = {"at": time.time(), "parents_out_of_step": 0, "since": time.time(), "problem": None}
        (var / doctor_native.PARENTS).write_text(json.dumps({**base, **known}))
        (line,) = reported(doctor_native.parents)
        return line

    assert reported(doctor_native.parents) == []
    assert found().startswith("ok       parents    parents_out_of_step=0")
    assert found(parents_out_of_step=2).startswith("PROBLEM  parents    parents_out_of_step=2")
    gone = found(parents_out_of_step=None, since=time.time() - 90, problem="MLflow is away.")
    assert "no look since 90 s: MLflow is away." in gone
    assert found(at=time.time() - 4000).startswith("ok")  # nothing runs here that would look
    with only_one(NATIVE, ""):
        assert "the last look was 4000 s ago" in found(at=time.time() - 4000)


def test_one_table_and_an_exit_code_for_all_of_it(var: Path, environment):
    environment("Flask_WTF-1.3.0", "contourpy-1.3.3")
    (var / "native").mkdir()
    Secrets.of(var / "native")
    command = [sys.executable, "-S", "-m", "operations.doctor.report"]
    settings = {"PYTHONPATH": str(ROOT), "RETRAINING_VAR": str(var), "PATH": "/nowhere"}
    done = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    subjects = [line[9:19].strip() for line in done.stdout.splitlines() if line.startswith("ok ")]
    assert subjects[:3] == ["disk", "python", "secrets"]
    (var / "native" / "secrets.json").chmod(0o644)
    done = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert done.returncode == 1
    assert "1 problem(s)" in done.stderr


def test_environments_of_hosted_projects_are_looked_at_where_a_block_wants_one(environment, tmp_path: Path):
    environment("contourpy-1.3.3")
    assert reported(doctor_native.environments) == []
    block = tmp_path / "kedro_project/conf/base/flats/airflow.yml"
    block.parent.mkdir(parents=True)
    block.write_text("flats: {project: ../flats, environment: own}\n")
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho flats has no environment of its own yet: make environments NAME=flats\n")
    python.chmod(0o755)
    (line,) = reported(doctor_native.environments)
    assert line.startswith("PROBLEM  environments")
    assert line.endswith("make environments NAME=flats")
