"""`make backup` and `make restore` as a person types them; test_backup.py compares what they move."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from operations.native.running import published
from operations.native.secrets import FILE, write_secret
from operations.native.stack import Stores
from tests.deployment import ROOT
from tests.fixtures.stack import folder_for_postgres, stack_environment
from tracked_kedro.cli.locks import NATIVE, only_one
from tracked_kedro.kedro_side.locations import var_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]
Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Runs a target on a deployment folder of this test alone."""
    with folder_for_postgres() as folder:
        monkeypatch.setenv("RETRAINING_VAR", str(folder))

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            command = ["make", *words, "STACK=native", f"VAR={folder}"]
            environment = stack_environment(folder)
            return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)

        yield run


@pytest.mark.full
def test_a_backup_of_the_running_stack_is_restored_into_an_empty_one_and_not_over_it(
    make: Make, stores: Stores, client: MlflowClient
):
    client.create_run(client.create_experiment("to be backed up"))
    with only_one(NATIVE, ""):
        folder = var_folder()
        (folder / "native").mkdir()
        with published(folder / "native", stores):
            done = make("backup")
            assert done.returncode == 0, done.stdout + done.stderr
            (file,) = (folder / "backups").iterdir()
            assert f"make restore FILE={file}" in done.stdout
            assert stores.secrets.mlflow_admin not in done.stdout + done.stderr
            again = make("backup", f"FILE={file}")
            assert again.returncode != 0
            assert f"{file} is there already; name another file with FILE=" in again.stderr
            write_secret(folder / "native" / FILE, json.dumps(stores.secrets.values()))
            running = make("restore", f"FILE={file}", "FORCE=1")
            assert running.returncode != 0
            assert "stop it first (Ctrl-C)" in running.stderr
    # A machine that has not got the secrets cannot tell whose backup it is, and says so before it starts a store.
    (folder / "native" / FILE).unlink()
    foreign = make("restore", f"FILE={file}")
    assert foreign.returncode != 0
    assert "bring the secrets of the stack that made it" in foreign.stderr
    assert "UNSIGNED=1 restores it all the same" in foreign.stderr
    assert not (folder / "native" / "postgres").exists()
    write_secret(folder / "native" / FILE, json.dumps(stores.secrets.values()))
    done = make("restore", f"FILE={file}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Restored. Start the stack" in done.stdout
    # It is not empty any more, for what was backed up is there.
    refused = make("restore", f"FILE={file}")
    assert refused.returncode != 0
    assert re.search(r"The stack is not empty \(.*MLflow runs.*\); FORCE=1 replaces all of it", refused.stderr)


def test_what_is_no_backup_is_refused_with_the_remedy(make: Make, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no backup")
    for words, reason in (
        ([], "name the backup with FILE="),
        (
            [f"FILE={tmp_path / 'absent.tar'}"],
            "absent.tar cannot be read as a backup: No such file or directory; FILE= names a file that `make backup`",
        ),
        ([f"FILE={tmp_path / 'notes.txt'}"], "cannot be read as a backup"),
    ):
        done = make("restore", *words, "FORCE=1")
        assert done.returncode != 0
        assert reason in " ".join(done.stderr.split()), done.stderr
    assert not (var_folder() / "native").exists(), "no store was started"
