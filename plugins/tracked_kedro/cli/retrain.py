"""`make retrain`: one DAG run with `airflow dags test`, its progress on the screen, and its result at the end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from tracked_kedro.cli import progress
from tracked_kedro.cli.locks import RETRAIN, UI, is_held, only_one
from tracked_kedro.cli.result import Result
from tracked_kedro.cli.settings import dag_settings
from tracked_kedro.kedro_side.locations import var_folder


def run(project: Path, dag: str, settings: Sequence[str], variables: Sequence[str] = ()) -> int:
    """Run a DAG once.

    Args:
        project: folder of the Kedro project.
        dag: id of the DAG.
        settings: parameters of the DAG run as NAME=VALUE.
        variables: what a person gave to make, see `settings.from_make`.

    Returns:
        Exit code: 0 when the DAG run succeeded.

    Raises:
        click.ClickException: a setting cannot be used, or another retraining is running.
    """
    with only_one(RETRAIN, "wait for it, or use another folder with VAR=<folder>"):
        click.echo(f"Retraining {dag} ...")
        _refuse_beside_a_scheduler(dag)
        conf = dag_settings(project, dag, settings, variables)
        log_file = var_folder() / "logs" / f"retrain-{datetime.now():%Y%m%d-%H%M%S}.log"
        code, run_id = _dags_test(dag, conf, log_file)
    result = Result.of("success" if code == 0 else "failed", run_id)
    click.echo(result.text(log_file))
    click.echo(result.last_line())
    return code


def _refuse_beside_a_scheduler(dag: str) -> None:
    """A scheduler would run the tasks of `airflow dags test` a second time, unless the DAG is paused."""
    if not is_held(UI):
        return
    command = [sys.executable, "-m", "airflow", "dags", "details", dag, "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if re.search(r'"is_paused": "False"', done.stdout):
        raise click.ClickException(
            f"`make ui` is running and {dag} is unpaused there, so its scheduler would interfere: "
            f"trigger {dag} on its page, or pause it first"
        )


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
