"""`make native`: the production stack as processes on loopback, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from operations.locations import var_folder
from operations.native import airflow, mlflow_server, secrets
from operations.native.errors import StackError
from operations.native.ports import wanted_port
from operations.native.running import published, running_environment
from operations.native.stack import Stack, started_stack
from tracked_kedro.cli.caller import end_with_make
from tracked_kedro.cli.locks import NATIVE, only_one

SIGNING = "model_signing"  # the secret


def serve(workers: int = 0) -> int:
    """Run the stack on `<var>/native` until a signal comes.

    Args:
        workers: how many Celery workers run the tasks; none means that the scheduler runs them.

    Returns:
        Exit code: 0 after Ctrl-C or SIGTERM, 1 when a part is missing, did not start, or ended again and again.

    Raises:
        click.ClickException: another one is running on this folder, or no port can be had.
    """
    folder = var_folder() / "native"
    with only_one(NATIVE, "open the addresses that it has printed"):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        end_with_make()
        is_new = not (folder / secrets.FILE).exists()
        is_from_before_signatures = not is_new and SIGNING not in (folder / secrets.FILE).read_text()
        click.echo(f"Starting Postgres, S3 stores, MLflow and Airflow on {folder} ...")
        begin = time.monotonic()
        try:
            ports = wanted_port("AIRFLOW_PORT", 8080), wanted_port("MLFLOW_PORT", 5050)
            with started_stack(folder, os.environ, *ports, workers) as parts, published(folder, parts.stores):
                if is_from_before_signatures:
                    _sign_versions(folder)
                click.echo(_addresses(parts, is_new))
                click.echo(f"Ready after {time.monotonic() - begin:.0f} s. Ctrl-C ends all; logs: {parts.stores.logs}")
                while (problem := parts.given_up()) is None:
                    time.sleep(0.3)
                    for told in parts.mend():
                        click.echo(told, err=True)
                raise StackError(problem)
        except KeyboardInterrupt:
            click.echo(f"All parts have ended. Their data stays in {folder}; `make native` starts them on it again.")
            return 0
        except StackError as error:
            click.echo(f"{error}", err=True)
            return 1


def _sign_versions(folder: Path) -> None:
    """Sign the versions that are there at this moment; those that come later are signed when they are registered."""
    command = [sys.executable, "-m", "tracked_kedro", "sign-models"]
    if subprocess.run(command, env={**os.environ, **running_environment(folder)}).returncode:
        click.echo("Versions from before signatures are refused until `make sign-models` has signed them.", err=True)


def _interrupt(number: int, frame: object) -> None:
    # Once: what ends the parts must itself not be interrupted.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    click.echo("\nStopping ...")
    raise KeyboardInterrupt


def _addresses(parts: Stack, is_new: bool) -> str:
    known = parts.stores.secrets
    file = Path(parts.stores.logs.parent, secrets.FILE)
    rows = [
        ("Airflow", parts.airflow.address, airflow.USER, "airflow_admin"),
        # MLflow opens with its pages on language models; this is the list of experiments.
        ("MLflow", f"{parts.stores.mlflow.address}/#/experiments", mlflow_server.USER, "mlflow_admin"),
    ]
    lines = [
        f"  {name:8} {address}   user {user}, password "
        + (known.values()[secret] if is_new else f"as printed at the first start ({secret} in {file})")
        for name, address, user, secret in rows
    ]
    return "\n".join(["", *lines, ""])
