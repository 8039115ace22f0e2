"""The commands that a person types after a first retraining: each ends well, says what it made, and no library speaks.

Left out: those that want root, containers or an index (`system-deps`, `up`, `lock`, …), servers without an end (`ui`,
`native`, `serve`, `viz`: they have tests of their own), the suite itself, and `bench`.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.deployment import ROOT, deployment_environment
from tests.fixtures.templates import EmptyStore

FEW = "SERIES=belem,rio"
LEFT_OUT = {
    "system-deps", "setup", "lock", "format", "clean", "lint",
    "test", "test-full", "test-faults", "test-compose", "bench",
    "docs", "environments",  # what they build is an environment of its own
    "secrets", "up", "pin-images", "down", "ps", "logs", "upgrade", "restore",
    "ui", "native", "serve", "viz", "shell",
    "new-pipeline", "delete-pipeline", "add-project", "remove-project",  # they write into the checkout
}  # fmt: skip
# Command, exit code of make, and what its last line, or its error, says.
COMMANDS = [
    ("help", 0, r"make clean +Remove"),
    ("retrain", 0, r"^retrain: state=success .* series=12 finished=12 failed=0$"),
    ("models", 0, r"`make serve` answers with the champion"),
    ("forecast", 0, r"^MLflow run [0-9a-f]{32} has the same"),
    ("data", 0, r"^It is done\. Next: make retrain DAG=climate_brazil$"),
    (f"replay MONTHS=1 {FEW}", 0, r"^1 month is replayed\."),
    ("rollback", 2, r"^Error: climate-brazil has no previous champion; name a version with TO="),
    ("reconcile", 0, r"^parents_out_of_step=0$"),
    ("dags", 0, r"make retrain DAG="),
    ("doctor", 0, r"not set up here"),
    ("backup", 2, r"^Error: nothing to back up"),
    ("prune", 2, r"is for the containers' stack"),
    ("reproduce RUN=abc", 2, r"^Error: 'abc' is no run id"),
    ("sign-models VERSION=nope/1", 2, r"^Error: There is no registered model 'nope'; known are climate-brazil$"),
    ("retrain DAG=nope", 2, r"^Error: There is no DAG 'nope'; known are "),
    ("forecast MODEL=climat-brazil", 2, r"^Error: climat-brazil has no champion"),
]
OURS = re.compile(r"Error: |make(\[\d\])?: |Stack: |Preparing|`make prune`")


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory, empty_store: EmptyStore) -> Path:
    folder = tmp_path_factory.mktemp("commands") / "var"
    empty_store(folder)
    return folder


def test_each_target_of_the_makefile_is_tried_or_left_out_with_a_reason():
    targets = set(re.findall(r"^([a-z-]+):.*?## ", (ROOT / "Makefile").read_text(), re.M))
    tried = {command.split()[0] for command, *_ in COMMANDS}
    assert targets - LEFT_OUT - tried == set()
    assert tried & LEFT_OUT == set()


@pytest.mark.full
@pytest.mark.parametrize(("command", "code", "end"), COMMANDS, ids=[command for command, *_ in COMMANDS])
def test_it_ends_well_and_no_library_speaks(var: Path, command: str, code: int, end: str):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "RETRAINING_", "MAKE"))}
    environment = kept | {"AIRFLOW_HOME": deployment_environment(var)["AIRFLOW_HOME"]}
    done = subprocess.run(
        ["make", *command.split(), f"VAR={var}"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900
    )
    errors = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    assert [line for line in errors if not OURS.match(line)] == []
    told = errors if code else [line for line in done.stdout.splitlines() if line.strip()][-1:]
    assert any(re.search(end, line) for line in told), told
    assert "Traceback" not in done.stdout
    if command == "retrain":
        (example,) = re.findall(r"^    (Belém .*)$", (ROOT / "README.md").read_text(), re.M)
        assert example in done.stdout, "the README shows what the sample prints"
