"""What is made under var/ is its owner's alone."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from operations.native.errors import MissingPartError
from operations.native.postgres import Postgres
from operations.native.secrets import Secrets
from tests.deployment import ROOT, deployment_environment
from tests.fixtures.modes import open_to_others
from tests.fixtures.rents import Rents
from tests.fixtures.stack import folder_for_postgres

MAKEFILE = (ROOT / "Makefile").read_text()
#: They write into the checkout, which others may read (an image is built from it), or nowhere.
ELSEWHERE = {
    "dags",
    "data",
    "new-pipeline",
    "delete-pipeline",
    "test",
    "test-full",
    "test-compose",
    "bench",
    "lint",
    "format",
}
ELSEWHERE |= {"lock", "viz", "setup", "$(INSTALLED)"}


def recipes() -> dict[str, list[str]]:
    """Recipe lines by target, those joined that end in a backslash."""
    text = MAKEFILE.replace("\\\n", " ")
    found = re.findall(r"^([^\s:#=]+(?: [^\s:#=]+)*):(?!=).*\n((?:\t.*\n)+)", text, flags=re.M)
    return {target: lines.splitlines() for target, lines in found}


def test_every_recipe_that_writes_under_var_is_private():
    programs = re.compile(r"(^|[ \t@;(])(python -m (operations|tracked_kedro) |airflow |kedro |mkdir )")
    open_ones = [
        (target, line.strip())
        for target, lines in recipes().items()
        if target not in ELSEWHERE
        for line in lines
        if programs.search(line) and not re.match(r"\t@?\$\(PRIVATE\) ", line)
    ]
    assert {"retrain", "ui", "native", "shell", "$(PREPARED)"} <= set(recipes())
    assert open_ones == []


@pytest.mark.slow
def test_databases_logs_and_settings_of_an_embedded_deployment(tmp_path: Path):
    var = tmp_path / "var"
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MLFLOW", "RETRAINING"))
    }
    done = subprocess.run(
        ["make", "setup", f"VAR={var}"],
        cwd=ROOT,
        env=inherited,
        umask=0o022,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert {"airflow/airflow.db", "airflow/airflow.cfg", "logs/migrate.log"} <= {
        str(path.relative_to(var)) for path in var.rglob("*") if path.is_file()
    }
    assert open_to_others(var) == []


def test_a_run_respects_the_umask(rents: Rents, var: Path):
    before = os.umask(0o077)
    try:
        rents.run("rents")
    finally:
        os.umask(before)
    made = [path for path in var.rglob("*") if path.is_file()]
    assert any("mlflow" in path.parts for path in made)
    assert any("data" in path.parts for path in made)
    # The fixture made the two folders itself.
    assert [one for one in open_to_others(var) if one.split()[1] not in (".", "mlflow")] == []


def test_airflow_gives_task_logs_to_their_owner_alone():
    settings = deployment_environment(Path("/nowhere"))
    assert settings["AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS"] == "0o700"
    assert settings["AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS"] == "0o600"


def test_postgres_reaches_its_folder_where_the_others_are_private():
    before = os.umask(0o077)
    try:
        with folder_for_postgres() as folder:
            native = folder / "var" / "native"
            native.mkdir(parents=True, mode=0o700)
            postgres = Postgres(native / "postgres", Secrets.of(native))
            try:
                postgres.command()
            except MissingPartError as error:
                pytest.skip(str(error))
            assert (native / "postgres" / "data" / "PG_VERSION").exists()
            # Root's Postgres is another user, who may pass and not look.
            assert {path.stat().st_mode & 0o066 for path in (native, native.parent)} == {0}
    finally:
        os.umask(before)
