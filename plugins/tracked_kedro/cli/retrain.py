"""`make retrain`: one DAG run with `airflow dags test`, its progress on the screen, and its result at the end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from tracked_kedro.cli.caller import end_with_make
from tracked_kedro.cli.left_over import end_left_over, forget, noted
from tracked_kedro.cli.locks import RETRAIN, UI, is_held, only_one
from tracked_kedro.cli.progress import Events, Screen
from tracked_kedro.cli.room import kept_back, shortage
from tracked_kedro.cli.run_log import Log
from tracked_kedro.cli.settings import checked_settings, settled
from tracked_kedro.cli.signals import Interruption, interruptible
from tracked_kedro.errors import classified
from tracked_kedro.kedro_side.locations import var_folder


def run(project: Path, dag: str, settings: Sequence[str], variables: Sequence[str] = ()) -> int:
    """Run a DAG once.

    Args:
        project: folder of the Kedro project.
        dag: id of the DAG.
        settings: parameters of the DAG run as NAME=VALUE.
        variables: what a person gave to make, see `settings.from_make`.

    Returns:
        Exit code: 0 when the DAG run succeeded, 130 after Ctrl-C, 129 where the terminal was closed.

    Raises:
        click.ClickException: a setting cannot be used, another retraining is running, or the disk is full.
    """
    end_with_make()
    with only_one(RETRAIN, "wait for it, or use another folder with VAR=<folder>"):
        click.echo(f"Retraining {dag} ...")
        begun = _Begun(dag, var_folder() / "logs" / f"retrain-{datetime.now():%Y%m%d-%H%M%S}.log")
        with kept_back() as give_back:
            try:
                with interruptible():
                    code = _run_dag(begun, project, settings, variables)
            except Interruption as interruption:
                return _interrupted(begun, interruption)
            missing = shortage() if code else None
            if code < 0:
                _end(begun, "KILLED", f"the process that ran it was killed ({signal.Signals(-code).name})")
            if missing:
                give_back()
                click.echo(missing, err=True)
                _end(begun, "FAILED", missing)
    # Not earlier: it imports MLflow, which a person who mistyped a value need not wait for.
    from tracked_kedro.cli.result import Result

    result = Result.of("success" if code == 0 else "failed", begun.parent)
    click.echo(result.text(begun.log_file))
    click.echo(result.last_line())
    return code if code >= 0 else 128 - code


@dataclass
class _Begun:
    """What is known of a DAG run.

    Attributes:
        parent: id of the parent run, once it is open.
        since: when the DAG run may have begun, seconds since 1970; None before.
    """

    dag: str
    log_file: Path
    parent: str | None = None
    since: float | None = None


def _run_dag(begun: _Begun, project: Path, settings: Sequence[str], variables: Sequence[str]) -> int:
    checked = checked_settings(project, begun.dag, settings, variables)
    with Screen("checking the input") as screen, _airflow(begun.dag) as process:
        _refuse_beside_a_scheduler(begun.dag)
        conf = settled(project, begun.dag, checked)
        end_left_over(RETRAIN)
        begun.since = time.time()
        with noted(begun.dag):
            _follow(process, conf, screen, begun)
            process.wait()
    return process.returncode


def _interrupted(begun: _Begun, interruption: Interruption) -> int:
    """End what has begun, and say so where somebody may still read it."""
    with contextlib.suppress(OSError):
        click.echo(f"Stopping: {interruption} ...")
    _end(begun, "KILLED", f"interrupted: {interruption}")
    from tracked_kedro.cli.result import Result

    with contextlib.suppress(OSError):
        click.echo(Result("interrupted", begun.parent, "", {}).last_line())
    return interruption.exit_code


def _end(begun: _Begun, status: str, reason: str) -> None:
    if begun.since is None:
        return
    # Not earlier: it imports Airflow and MLflow.
    from tracked_kedro.cli.interrupted import end

    try:
        end(begun.dag, begun.since, begun.parent, status, reason)
    except Exception as error:  # noqa: BLE001  whatever it is, the next command ends the rest
        with contextlib.suppress(OSError):
            click.echo(f"The run could not be ended ({classified(error)}); the next command does it", err=True)
    else:
        forget()


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
    # In a session of its own: Ctrl-C is for this command, which then ends all of it.
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _follow(process: subprocess.Popen[str], conf: dict[str, Any], screen: Screen, begun: _Begun) -> None:
    """Let Airflow run the DAG; its whole output goes to the log file, its progress to the screen."""
    assert process.stdin is not None and process.stdout is not None
    # It may have failed before it came to read; what it says of that is shown below.
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(json.dumps(conf) + "\n")
    screen.show("starting Airflow")
    events = Events()
    with Log(begun.log_file) as log:
        for line in _lines(process.stdout.fileno()):
            if problem := log.write(line):
                screen.show(f"  {problem}")
            if found := re.search(r"parent_run_id=([0-9a-f]{32})", line):
                begun.parent = found.group(1)
            if event := events.of(line):
                screen.show(event)


def _lines(pipe: int) -> Iterator[str]:
    """Lines as they come.

    Waited for by `select`, which a signal always ends: polars has the system go on with a read that Ctrl-C came upon.
    """
    pending = b""
    while select.select([pipe], [], []) and (piece := os.read(pipe, 65536)):
        *whole, pending = (pending + piece).split(b"\n")
        yield from (line.decode(errors="replace") + "\n" for line in whole)
    if pending:
        yield pending.decode(errors="replace")
