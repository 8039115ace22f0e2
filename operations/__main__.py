"""`python -m operations`: commands that need the environment; those of the containers run as modules of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import click

from tracked_kedro.cli.plain_errors import PlainErrors


@click.group(cls=PlainErrors)
def commands() -> None:
    """Start, check, back up and upgrade a deployment."""


@commands.command()
def ui() -> None:
    """Serve Airflow's and MLflow's web pages on loopback until Ctrl-C."""
    from operations.native.ui import serve

    raise SystemExit(serve())


@commands.command()
@click.option(
    "--workers", type=click.IntRange(0), default=0, help="Celery workers; none: the scheduler runs the tasks."
)
def native(workers: int) -> None:
    """Run the production stack as processes on loopback until Ctrl-C."""
    from operations.native.command import serve

    raise SystemExit(serve(workers))


@commands.command("in-native-stack", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def in_native_stack(command: tuple[str, ...]) -> None:
    """Run a command on the stores of the native stack, where that runs; else as it is."""
    from operations.locations import NATIVE, is_held, var_folder
    from operations.native.running import running_environment

    stores = running_environment(var_folder() / "native") if is_held(NATIVE) else {}
    raise SystemExit(subprocess.run(command, env={**os.environ, **stores}).returncode)


@commands.command()
@click.option("--file", "target", type=click.Path(path_type=Path), help="File to write.")
def backup(target: Path | None) -> None:
    """Back the stack up into one file, while it works."""
    from operations.backup.commands import make

    make(target)


@commands.command()
@click.option("--file", type=click.Path(path_type=Path), required=True, help="A backup.")
@click.option("--force", is_flag=True, help="Replace a stack that is not empty.")
@click.option("--unsigned", is_flag=True, help="Take a backup that is not signed with this stack's key.")
def restore(file: Path, force: bool, unsigned: bool) -> None:
    """Restore the stack from a backup."""
    from operations.backup.commands import restore_from

    restore_from(file, force, unsigned)


@commands.command()
def prepare() -> None:
    """Make the embedded MLflow store."""
    from operations.native.prepare import prepare_tracking

    prepare_tracking()


@commands.command("create-buckets")
def create_buckets() -> None:
    """Make the stack's buckets and their keys (in a container of the stack)."""
    from operations.in_container.create_buckets import run

    run()


@commands.command()
def accounts() -> None:
    """Make Airflow's first user and MLflow's service user (in a container of the stack)."""
    from operations.in_container.accounts import run

    run()


@commands.command()
@click.option("--keep", type=int, required=True, help="How many parent runs of each experiment stay.")
@click.option("--apply", "really", is_flag=True, help="Remove what is found; without it, count only.")
def prune(keep: int, really: bool) -> None:
    """Count or remove old runs and what belongs to them (in a container of the stack)."""
    from operations.in_container.prune import run

    run(keep, really)


if __name__ == "__main__":
    commands(prog_name="python -m operations")
