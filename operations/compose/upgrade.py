"""`make upgrade`: the stack on the code of this folder, databases migrated, with a way back. Standard library only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from operations.compose import backup as backup_compose
from operations.compose import engine, up
from operations.locations import backup_file

DATABASES = {"airflow": "dag_run", "mlflow": "runs"}  # and the table whose rows are counted before and after
WRITERS = ("airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "airflow-worker")


def main() -> None:
    """Back up, build, migrate, start, verify, sign versions from before signatures, and tell how to go back."""
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
    _join_networks("postgres", engine.variables()["OBJECT_STORE"])
    file = backup_file("before-upgrade")
    backup_compose.backup(file)  # by the image that still runs: the code of its commit reads it again
    up.build()
    print("Migrating; tasks that run are ended and retried afterwards ...", flush=True)
    try:
        _compose("stop", *sorted(running & {*WRITERS, "mlflow"}))
        _compose("run", "--rm", "--no-deps", "mlflow", "upgrade")
        _compose("up", "--detach", "--wait", "--wait-timeout", str(up.WAIT_SECONDS))  # airflow-init migrates Airflow
        if lost := [table for table, count in _rows().items() if count < rows[table]]:
            raise SystemExit(f"There are fewer rows than before in {', '.join(lost)}")
        up.sign_versions()
    except SystemExit as error:
        sys.exit(f"{error}\nThe upgrade failed.{way_back(before, file)}")
    print(f"Upgraded: every service is healthy, and no run is missing.{way_back(before, file)}")


def way_back(commit: str, file: Path) -> str:
    """The commands that bring the stack back to a commit and the state of a backup."""
    return (
        "\nTo go back (what was recorded since then is lost):\n"
        f"    make down\n    git checkout {commit.removesuffix('-dirty')}\n"
        f"    make restore FILE={file} FORCE=1 STACK=compose\n    make up"
    )


def _join_networks(*stores: str) -> None:
    """Let running stores be reached by the names that this folder's file has for them, whose networks may be newer."""
    _compose("create", "--no-recreate", backup_compose.SERVICE)  # makes the networks, and changes nothing that runs
    _compose("rm", "--force", backup_compose.SERVICE)
    for store in stores:
        engine.join_networks(store)


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
