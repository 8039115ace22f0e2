"""`make upgrade`: the stack on the code of this folder, databases migrated, with a way back. Standard library only."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from retraining.commands import engine, up

DATABASES = {"airflow": "dag_run", "mlflow": "runs"}  # and the table whose rows are counted before and after
WRITERS = ("airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "airflow-worker")


def main() -> None:
    """Back up, build, migrate, start, verify, and tell how to go back."""
    if found := up.refusals():
        sys.exit("Nothing was changed:\n" + "\n".join(f"  - {problem}" for problem in found))
    running = {state["Service"] for state in engine.states() if state["State"] == "running"}
    if missing := {"postgres", "mlflow", "airflow-scheduler"} - running:
        sys.exit(
            f"Nothing was changed: {', '.join(sorted(missing))} does not run, so there is nothing to save: make up"
        )
    before, after = _commit_that_runs(), up.commit()
    print(f"From commit {before[:12]} to {after[:12]}", flush=True)
    rows = _rows()
    folder = Path("backups") / time.strftime("upgrade-%Y%m%d-%H%M%S", time.gmtime())
    for database in DATABASES:
        dump(database, folder / f"{database}.dump")
    os.environ["GIT_COMMIT"] = after
    print("Building the images ...", flush=True)
    _compose("build", "--quiet")
    print("Migrating; tasks that run are ended and retried afterwards ...", flush=True)
    try:
        _compose("stop", *sorted(running & {*WRITERS, "mlflow"}))
        _compose("run", "--rm", "--no-deps", "mlflow", "upgrade")
        _compose("up", "--detach", "--wait", "--wait-timeout", str(up.WAIT_SECONDS))  # airflow-init migrates Airflow
        if lost := [table for table, count in _rows().items() if count < rows[table]]:
            raise SystemExit(f"There are fewer rows than before in {', '.join(lost)}")
    except SystemExit as error:
        sys.exit(f"{error}\nThe upgrade failed.{way_back(before, folder)}")
    print(f"Upgraded: every service is healthy, and no run is missing.{way_back(before, folder)}")


def dump(database: str, file: Path) -> None:
    """Write a database to a file that only its owner can read, as it is at this moment.

    Raises:
        SystemExit: it failed; no file is left.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    command = engine.compose("exec", "-T", "postgres", "pg_dump", "-U", "postgres", "--format=custom", database)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        done = subprocess.run(command, stdout=target, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        part.unlink()
        sys.exit(f"Nothing was changed: the database {database} could not be saved: {done.stderr.strip()}")
    part.rename(file)
    print(f"Saved database {database}: {file} ({file.stat().st_size:,} bytes)", flush=True)


def way_back(commit: str, folder: Path) -> str:
    """The commands that bring the stack back to a commit and its databases."""
    restore = "\n".join(
        f"    docker compose exec -T postgres pg_restore -U postgres --clean --if-exists -d {database}"
        f" < {folder / database}.dump"
        for database in DATABASES
    )
    return (
        "\nTo go back (what was recorded since then is lost; stored objects are not touched):\n"
        f"    git checkout {commit.removesuffix('-dirty')}\n    make down\n"
        f"    docker compose up --detach --wait postgres\n{restore}\n    make up"
    )


def _commit_that_runs() -> str:
    return engine.inside("airflow-scheduler", "printenv", "RETRAINING_GIT_COMMIT").strip()


def _rows() -> dict[str, int]:
    ask = ["psql", "-U", "postgres", "-qtAc"]
    return {
        table: int(engine.inside("postgres", *ask, f"SELECT count(*) FROM {table}", "-d", database))  # noqa: S608  ours
        for database, table in DATABASES.items()
    }


def _compose(*arguments: str) -> None:
    if subprocess.run(engine.compose(*arguments)).returncode:
        raise SystemExit(f"`docker compose {' '.join(arguments)}` failed")


if __name__ == "__main__":
    main()
