"""`make retrain`: one DAG run with `airflow dags test`, its progress on the screen, and its result at the end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from retraining.commands import progress
from retraining.commands.result import Result
from retraining.commands.settings import dag_settings
from retraining.locations import var_folder


def run(project: Path, dag: str, settings: Sequence[str]) -> int:
    """Run a DAG once.

    Args:
        project: folder of the Kedro project.
        dag: id of the DAG.
        settings: parameters of the DAG run as NAME=VALUE.

    Returns:
        Exit code: 0 when the DAG run succeeded.

    Raises:
        click.ClickException: a setting cannot be used, or another retraining is running.
    """
    with _only_one():
        click.echo(f"Retraining {dag} ...")
        conf = dag_settings(project, dag, settings)
        log_file = var_folder() / "logs" / f"retrain-{datetime.now():%Y%m%d-%H%M%S}.log"
        code, run_id = _dags_test(dag, conf, log_file)
    result = Result.of("success" if code == 0 else "failed", run_id)
    click.echo(result.text(log_file))
    click.echo(result.last_line())
    return code


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Hold the lock of this deployment's embedded stores.

    `airflow dags test` deletes an earlier test of the same date, so two at once would disturb each other.
    """
    path = var_folder() / "retrain.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(
                f"Another retraining is running in {var_folder()}; wait for it, or use another folder with VAR=<folder>"
            ) from None
        yield


def _dags_test(dag: str, conf: dict[str, Any], log_file: Path) -> tuple[int, str | None]:
    """Run `airflow dags test`; its whole output goes to the log file, its progress to the screen."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "airflow", "dags", "test", dag, "--conf", json.dumps(conf)]
    run_id = None
    begin = time.monotonic()
    with (
        log_file.open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            if found := re.search(r"parent_run_id=([0-9a-f]{32})", line):
                run_id = found.group(1)
            if event := progress.event(line):
                click.echo(f"{time.monotonic() - begin:6.1f} s  {event}")
    return process.returncode, run_id
