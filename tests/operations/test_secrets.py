import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from operations.compose import secrets

SOURCES = Path(secrets.__file__).parents[2]


@pytest.fixture
def settings(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# a comment\nAIRFLOW_UID=\nAIRFLOW_PORT=8080\n")
    return file


@pytest.fixture
def made(tmp_path, settings):
    secrets.make(tmp_path / "secrets", settings)
    return tmp_path / "secrets"


def test_secrets_are_strong_different_and_private(made):
    texts = {name: (made / name).read_text() for name in secrets.FILES}
    assert len(set(texts.values())) == len(texts)
    assert {(made / name).stat().st_mode & 0o777 for name in texts} == {0o600}
    assert made.stat().st_mode & 0o777 == 0o700
    assert len(base64.urlsafe_b64decode(texts["airflow_fernet_key"])) == 32
    # MinIO takes 40 characters, Airflow's tokens want a key of 64 bytes.
    assert len(texts["data_store_credentials"].rpartition(" = ")[2].strip()) == 40
    assert len(texts["airflow_jwt_secret"]) >= 64
    assert secrets.problems(made) == []


def test_what_is_there_is_not_overwritten(made, settings):
    (made / "redis_password").unlink()
    before = {name: (made / name).read_text() for name in secrets.FILES if name != "redis_password"}
    assert secrets.make(made, settings) == ["redis_password"]
    assert {name: (made / name).read_text() for name in before} == before


def test_the_owner_is_written_where_env_does_not_say(made, settings):
    owner = os.geteuid() or secrets.AIRFLOW_IMAGE_USER
    assert settings.read_text().splitlines() == ["# a comment", "AIRFLOW_PORT=8080", "", f"AIRFLOW_UID={owner}"]
    assert {(made / name).stat().st_uid for name in secrets.FILES} == {owner}


@pytest.mark.parametrize("given", ["0", "someone"])
def test_a_user_that_cannot_be_is_refused(tmp_path, settings, given):
    settings.write_text(f"AIRFLOW_UID={given}\n")
    with pytest.raises(SystemExit, match=f"AIRFLOW_UID={given} in .*: give the number of a user other than root"):
        secrets.make(tmp_path / "secrets", settings)
    assert not (tmp_path / "secrets").exists()


def test_without_env_nothing_is_made(tmp_path):
    with pytest.raises(SystemExit, match=r"cp \.env\.example \.env"):
        secrets.make(tmp_path / "secrets", tmp_path / ".env")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("redis_password", "", "is empty"),
        ("redis_password", "  \n", "is empty"),
        ("postgres_password", "postgres", "is a default or shorter"),
        ("postgres_password", "short", "is a default or shorter"),
        (
            "data_store_credentials",
            "[default]\naws_access_key_id = retraining-data\naws_secret_access_key = \n",
            "is empty",
        ),
    ],
)
def test_a_bad_secret_is_named_with_the_remedy(made, name, text, message):
    (made / name).write_text(text)
    (problem,) = secrets.problems(made)
    assert problem.startswith(f"{made / name} {message}")
    assert problem.endswith("make secrets")


def test_a_secret_that_others_can_read_is_named(made):
    (made / "redis_password").chmod(0o644)
    assert secrets.problems(made) == [
        f"{made / 'redis_password'} can be read by others (mode 644): chmod 600 {made / 'redis_password'}"
    ]


@pytest.mark.parametrize("module", ["secrets", "up", "upgrade", "backup backup"])
def test_a_machine_with_python_alone_can_run_it(module, tmp_path):
    # -S leaves installed packages out: what is imported is the standard library.
    done = subprocess.run(
        [sys.executable, "-S", "-m", *f"operations.compose.{module}".split()],
        cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(SOURCES), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 1
    assert ".env is missing: cp .env.example .env" in done.stderr


@pytest.mark.parametrize(("module", "arguments"), [("doctor.report", []), ("compose.prune", ["--keep", "3"])])
def test_what_needs_no_secrets_runs_with_python_alone_too(module, arguments, tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", "-m", f"operations.{module}", *arguments],
        cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(SOURCES), "PATH": str(tmp_path)},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    message = (
        "is for the containers' stack (`make up`), which is not set up here"
        if module == "compose.prune"
        else "The production stack is not set up"
    )
    assert message in done.stdout + done.stderr
