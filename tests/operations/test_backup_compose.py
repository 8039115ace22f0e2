"""How `make backup` and `make restore` call the service `backup`; tests/compose does both with a real engine."""

import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

from operations.backup.container import with_secrets
from operations.backup.place import VARIABLES
from operations.compose import backup as backup_compose
from operations.compose import secrets, upgrade
from tests.deployment import ROOT

# Answers what the commands ask an engine for; keeps the command line of each container it should run.
ENGINE = """#!/bin/sh
case "$*" in
    "compose config --environment") printf 'OBJECT_STORE=minio\\nCOMPOSE_PROFILES=minio\\nAIRFLOW_UID=54321\\n' ;;
    "compose ps"*) cat states ;;
    "compose run"*) echo "$*" >> runs; echo "/backups/it.tar: 5.0 MB in 1 s"; exit "$(cat code)" ;;
    *) echo 99.0 ;;
esac
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where the stack is set up, with an engine that only writes down what it should run."""
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(ENGINE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    shutil.copy(ROOT / ".env.example", ".env")
    secrets.make(Path("secrets"), Path(".env"))
    Path("code").write_text("0")
    run(["postgres", "minio", "mlflow"])
    return tmp_path


def run(services: list[str]) -> None:
    states = [{"Service": name, "State": "running", "Health": "healthy", "ExitCode": 0} for name in services]
    Path("states").write_text("".join(json.dumps(state) + "\n" for state in states))


def archive() -> Path:
    with tarfile.open("it.tar", "w") as tar:
        tar.add("code")
    return Path("it.tar")


def test_a_backup_runs_beside_the_stack_on_a_private_folder_and_names_the_file_as_this_machine_does(place, capfd):
    backup_compose.backup(Path("kept/it.tar"))
    folder = place / "kept"
    runs = Path("runs").read_text()
    assert runs == f"compose run --rm -T --volume {folder}:/backups --no-deps backup backup --file /backups/it.tar\n"
    assert folder.stat().st_mode & 0o777 == 0o700
    # Whom the service runs as: the secrets' owner, and where root types, nobody's number but that of `.env`.
    assert folder.stat().st_uid == (os.geteuid() or 54321)
    assert f"{folder}/it.tar: 5.0 MB" in capfd.readouterr().out


def test_a_backup_of_a_stack_whose_stores_do_not_run_is_refused(place):
    run(["mlflow"])
    with pytest.raises(SystemExit, match="minio, postgres does not run, so there is nothing to back up: make up"):
        backup_compose.backup(Path("kept/it.tar"))
    assert not Path("kept").exists()


def test_a_backup_that_fails_ends_the_command(place):
    Path("code").write_text("1")
    with pytest.raises(SystemExit, match="`make backup` failed"):
        backup_compose.backup(Path("kept/it.tar"))


@pytest.mark.parametrize(
    ("force", "unsigned", "end"), [(False, False, ""), (True, False, " --force"), (False, True, " --unsigned")]
)
def test_a_restoration_starts_the_stores_alone_and_cannot_change_the_file(place, force, unsigned, end):
    run(["postgres", "minio"])
    backup_compose.restore(archive(), force, unsigned)
    runs = Path("runs").read_text()
    assert runs == f"compose run --rm -T --volume {place}:/backups:ro backup restore --file /backups/it.tar{end}\n"


def test_a_running_stack_is_not_restored(place):
    with pytest.raises(SystemExit, match=r"The stack is running \(mlflow\); stop it first: make down"):
        backup_compose.restore(archive(), force=True)
    assert not Path("runs").exists()


def test_a_disk_without_room_is_told_before_anything_starts(place, monkeypatch):
    run(["postgres", "minio"])
    monkeypatch.setattr(backup_compose.engine, "root_folder", lambda: place)
    monkeypatch.setattr(backup_compose.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(SystemExit, match=r"has less room than it\.tar needs"):
        backup_compose.restore(archive(), force=False)
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["absent.tar", "code"])
def test_what_is_no_backup_is_refused_before_anything_starts(place, name):
    with pytest.raises(SystemExit, match=f"{name} is no backup; FILE= names a file that `make backup` has written"):
        backup_compose.restore(Path(name), force=True)
    assert not Path("runs").exists()


def test_an_upgrade_tells_the_way_back(place):
    lines = upgrade.way_back("abc-dirty", Path("/kept/it.tar")).splitlines()
    assert [line.strip() for line in lines[-4:]] == [
        "make down",
        "git checkout abc",
        "make restore FILE=/kept/it.tar FORCE=1 STACK=compose",
        "make up",
    ]


def test_the_service_gets_all_that_a_backup_must_know_and_its_secrets_from_files(place):
    service = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]["backup"]
    mounted = place / "mounted"
    mounted.mkdir()
    for name in service["secrets"]:
        shutil.copy(place / "secrets" / name, mounted)
    known = with_secrets(service["environment"], mounted)
    assert [name for name in VARIABLES if not known.get(name)] == []
    password = (mounted / "mlflow_database_password").read_text()
    assert known["MLFLOW_BACKEND_STORE_URI"] == f"postgresql+psycopg2://mlflow:{password}@postgres:5432/mlflow"
    assert known["ARTIFACTS_ACCESS_KEY_ID"] == "retraining-artifacts"
    assert known["AWS_ACCESS_KEY_ID"] == "retraining-data"
    values = [(mounted / name).read_text() for name in service["secrets"]]
    assert not [value for value in values if value in json.dumps(service)]
    assert with_secrets(service["environment"], place / "elsewhere") == service["environment"]
