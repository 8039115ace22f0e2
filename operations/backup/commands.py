"""`make backup` and `make restore`: the state of a stack into one file, and back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import click

from operations.backup.archive import Archive
from operations.backup.place import Place, place_of_environment, place_of_running, place_of_stores, signing_key
from operations.backup.transfer import backup, restore
from operations.locations import backup_file, is_held, var_folder
from operations.native.errors import StackError
from operations.native.secrets import FILE as SECRETS
from operations.native.stack import started_stores
from tracked_kedro.cli.caller import end_with_make
from tracked_kedro.cli.locks import NATIVE, only_one


def make(target: Path | None) -> None:
    """Back a stack up, while it works.

    Args:
        target: file to write; one named after the moment, under `<var>/backups`, by default.

    Raises:
        click.ClickException: the file is there already, no stack has run here, or a store cannot be read.
    """
    file = (target or backup_file()).absolute()
    if file.exists():
        raise click.ClickException(f"{file} is there already; name another file with FILE=")
    begin = time.monotonic()
    try:
        with _place(while_it_runs=True) as place:
            click.echo(f"Backing up to {file} ...")
            backup(place, file)
    except StackError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB in {time.monotonic() - begin:.0f} s. It holds no secrets:")
    click.echo("keep those elsewhere (secrets.json, or .env and its secrets): Airflow's connections need their key,")
    click.echo("and so does this file's signature.")
    click.echo(f"Bring it back with: make restore FILE={file}")


def restore_from(file: Path, force: bool, unsigned: bool = False) -> None:
    """Restore a stack from a file.

    Args:
        file: a backup.
        force: also into a stack that is not empty.
        unsigned: also a backup that is not signed with this stack's key.

    Raises:
        click.ClickException: the file is damaged or not signed, the stack is running or not empty, or a store refuses.
    """
    click.echo(f"Verifying {file} ...")
    try:
        archive = Archive.verified(file, signing_key(var_folder() / "native"), unsigned)
        with _place(while_it_runs=False) as place:
            click.echo(f"Restoring the state of {archive.manifest.made.isoformat()} ...")
            restore(place, archive, force)
    except StackError as error:
        raise click.ClickException(str(error)) from error
    click.echo("Restored. Start the stack (`make native` or `make up`); older databases are migrated at the start.")


@contextlib.contextmanager
def _place(while_it_runs: bool) -> Iterator[Place]:
    """The stack that the environment names; else the native one, whose stores are started where they do not run."""
    native = var_folder() / "native"
    if place := place_of_environment():
        yield place
    elif while_it_runs and is_held(NATIVE):
        yield place_of_running(native)
    elif while_it_runs and not (native / SECRETS).exists():
        raise click.ClickException(
            f"nothing to back up: no stack has run here, by `make up` (.env) or `make native` ({native}). "
            f"Runs of `make retrain` are kept under {var_folder()}: copy that folder while nothing runs"
        )
    else:
        end_with_make()
        with only_one(NATIVE, "stop it first (Ctrl-C)"), started_stores(native) as stores:
            yield place_of_stores(stores)
