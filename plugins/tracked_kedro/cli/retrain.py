"""`make retrain`: one DAG run with `airflow dags test`, its progress on the screen, and its result at the end."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from tracked_kedro.cli.locks import RETRAIN, UI, is_held, only_one
from tracked_kedro.cli.progress import Events, Screen
from tracked_kedro.cli.settings import checked_settings, settled
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
        log_file = var_folder() / "logs" / f"retrain-{datetime.now():%Y%m%d-%H%M%S}.log"
        checked = checked_settings(project, dag, settings, variables)
        with Screen("checking the input") as screen, _airflow(dag) as process:
            _refuse_beside_a_scheduler(dag)
            conf = settled(project, dag, checked)
            run_id = _followed(process, conf, screen, log_file)
        code = process.returncode
    # Not earlier: it imports MLflow, which a person who mistyped a value need not wait for.
    from tracked_kedro.cli.result import Result

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


@contextlib.contextmanager
def _airflow(dag: str) -> Iterator[subprocess.Popen[str]]:
    """A process that imports Airflow and waits for parameters; it is ended where none come."""
    command = [sys.executable, "-m", "tracked_kedro", "dags-test", "--dag", dag]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _followed(process: subprocess.Popen[str], conf: dict[str, Any], screen: Screen, log_file: Path) -> str | None:
    """Let Airflow run the DAG; its whole output goes to the log file, its progress to the screen.

    Returns:
        Id of the parent run, None where none was opened.
    """
    assert process.stdin is not None and process.stdout is not None
    # It may have failed before it came to read; what it says of that is shown below.
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(json.dumps(conf) + "\n")
    screen.show("starting Airflow")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    run_id, events = None, Events()
    with log_file.open("w") as log:
        for line in process.stdout:
            log.write(line)
            if found := re.search(r"parent_run_id=([0-9a-f]{32})", line):
                run_id = found.group(1)
            if event := events.of(line):
                screen.show(event)
    return run_id
