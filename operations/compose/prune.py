"""`make prune`: the stack's old runs, files, task logs and rows; a dry run unless APPLY=1. Standard library only."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from operations.compose import engine

TASKS, TRACKING = "airflow-scheduler", "mlflow"
# What grows with DAG runs; versions of DAGs and connections are not touched.
TABLES = "callback,deadline,job,log,task_instance_history,task_reschedule,trigger,xcom,task_instance,dag_run"


def main() -> None:
    """Count or remove, in the services that may: the tasks' key for data and logs, MLflow's for artifacts."""
    parser = argparse.ArgumentParser(prog="make prune")
    parser.add_argument("--keep", required=True)
    parser.add_argument("--apply", action="store_true")
    options = parser.parse_args()
    if not (options.keep.isascii() and options.keep.isdecimal() and int(options.keep) > 0):
        sys.exit(f"KEEP={options.keep}: a whole number above 0 is needed: how many runs stay")
    if not Path(".env").exists():
        sys.exit(
            "`make prune` is for the containers' stack (`make up`), which is not set up here: there is no .env. What "
            "`make retrain` keeps lies in var/: delete runs on MLflow's page (`make ui`), or all with `make clean`"
        )
    if found := engine.problems():
        sys.exit("\n".join(found))
    command = ["python", "-m", "operations", "prune", "--keep", options.keep]
    last = _shown(TASKS, *command, *(["--apply"] if options.apply else []))
    counted = re.fullmatch(r"prune: before=([0-9T:.+-]*) runs=([0-9a-f,]*)", last)
    if counted is None:
        sys.exit(f"`prune` in {TASKS} did not finish; it may be run again")
    before, runs = counted.groups()
    if runs and before:
        print(f"Airflow's rows older than {before}:", flush=True)
        clean = ["airflow", "db", "clean", "--clean-before-timestamp", before, "--tables", TABLES, "--skip-archive"]
        _shown(TASKS, *clean, *(["--yes"] if options.apply else ["--dry-run"]))
    if not runs:
        print("Nothing is old enough.")
    elif options.apply:
        _shown(TRACKING, "sh", "/opt/mlflow/start.sh", "gc", "--run-ids", runs)
        print("Done: runs, artifacts, versions, data, logs and rows are gone.")
    else:
        print(f"A dry run: nothing was removed. make prune KEEP={options.keep} APPLY=1 removes it.")


def _shown(service: str, *command: str) -> str:
    """Run a command in a service, show what it says as it says it; its last line, which is not shown.

    Raises:
        SystemExit: it failed.
    """
    last = ""
    with subprocess.Popen(
        engine.compose("exec", "-T", service, *command), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if last and not last.startswith("prune: "):
                print(last, flush=True)
            last = line.rstrip("\n")
    if not last.startswith("prune: "):
        print(last)
    if process.returncode:
        sys.exit(f"`{' '.join(command[:4])} …` failed in {service}")
    return last


if __name__ == "__main__":
    main()
