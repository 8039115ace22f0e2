"""Postgres databases into files and back, with pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
from sqlalchemy.engine import URL, make_url

from operations.native.errors import MissingPartError
from operations.native.postgres import postgres_binaries


def dump(address: str, target: Path) -> None:
    """Write a database to a file as it is at this moment, while others work in it.

    Raises:
        click.ClickException: pg_dump is missing or failed.
    """
    _run("pg_dump", make_url(address), ["--format=custom", "--no-owner", "--no-privileges", "--file", str(target)])


def load(address: str, source: Path) -> None:
    """Replace all that is in a database by the content of a dump; repeat it where it failed.

    Raises:
        click.ClickException: pg_restore is missing or failed.
    """
    with connected(address) as cursor:
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")
    options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    _run("pg_restore", make_url(address), [*options, str(source)])


def count(address: str, table: str) -> int:
    """Rows of a table; none where there is no such table."""
    with connected(address) as cursor:
        cursor.execute("SELECT to_regclass(%s)", (table,))
        if cursor.fetchone()[0] is None:
            return 0
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608  our own names
        return cursor.fetchone()[0]


class connected:  # noqa: N801  used as a function
    """A cursor whose statements are committed together."""

    def __init__(self, address: str) -> None:
        import psycopg2

        url = make_url(address).set(drivername="postgresql")
        self._connection = psycopg2.connect(url.render_as_string(hide_password=False))

    def __enter__(self) -> Any:
        return self._connection.cursor()

    def __exit__(self, kind: object, error: object, at: object) -> None:
        if kind is None:
            self._connection.commit()
        self._connection.close()


def _run(program: str, url: URL, options: list[str]) -> None:
    where = ["--host", str(url.host), "--port", str(url.port or 5432), "--username", str(url.username)]
    command = [_program(program), *where, "--dbname", str(url.database), *options]
    # The password is for this process alone: command lines are readable by everybody on the machine.
    done = subprocess.run(command, env={**os.environ, "PGPASSWORD": str(url.password)}, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"{program} of the database {url.database} failed: {done.stderr.strip()[-2000:]}")


def _program(name: str) -> str:
    try:
        return str(postgres_binaries() / name)
    except MissingPartError:
        found = shutil.which(name)
    if found is None:
        raise click.ClickException(f"{name} is missing: install Debian's postgresql-client, or run `make setup`")
    return found
