"""Airflow's services as processes: on Postgres, with FAB's login, task logs in S3 and tasks that know MLflow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from operations.native import secret_settings
from operations.native.errors import StackError
from operations.native.health import airflow_is_ready, takes_tasks
from operations.native.mlflow_server import Mlflow
from operations.native.object_store import ObjectStore
from operations.native.ports import HOST, free_port
from operations.native.postgres import Postgres
from operations.native.redis import Redis
from operations.native.secrets import Secrets

USER = "admin"
DATABASE = "airflow"
# Logs of tasks are read from the store they are written to; no log server opens further ports.
SERVICES: dict[str, list[str]] = {
    "api-server": [],
    "scheduler": ["--skip-serve-logs"],
    "dag-processor": [],
    "triggerer": ["--skip-serve-logs"],
}
FIRST = "api-server"  # the others report to it, and so do tasks


@dataclass(frozen=True)
class Airflow:
    """Airflow's services; tasks of the `prod` environment, which keeps data between tasks in S3.

    Attributes:
        redis: the broker of Celery workers; without one, the scheduler runs the tasks (LocalExecutor).
    """

    home: Path
    secrets: Secrets
    postgres: Postgres
    data: ObjectStore
    mlflow: Mlflow
    port: int = field(default_factory=free_port)
    redis: Redis | None = None

    @property
    def address(self) -> str:
        """Where its pages and its API are."""
        return f"http://{HOST}:{self.port}"

    def commands(self) -> dict[str, list[str]]:
        """The command of each service."""
        return {name: [*_AIRFLOW, name, *options] for name, options in SERVICES.items()}

    def environment(self, inherited: Mapping[str, str], process: str = "scheduler") -> dict[str, str]:
        """What a process needs, with the names of the files of the secrets that it uses.

        Args:
            process: one of `secret_settings.USES`. What the scheduler has serves every command of Airflow's.
        """
        return {
            **self._without_secrets(inherited),
            **secret_settings.used_by(process, self._secret_settings()),
        }

    def _without_secrets(self, inherited: Mapping[str, str]) -> dict[str, str]:
        return {
            **inherited,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            **self._executor(inherited),
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
            "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{self.data.bucket}/task-logs",
            # No connection by name: the environment names the file with the data key, where boto3 looks for it.
            "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "",
            # A new stack has something to show; one that has read real files never goes back to made-up ones by itself.
            "ALLOW_SIMULATED": inherited.get("ALLOW_SIMULATED") or "fresh",
            "KEDRO_ENV": "prod",
            "RETRAINING_DATA": f"s3://{self.data.bucket}/runs",
            **self.data.client_settings(),
            "MLFLOW_TRACKING_URI": self.mlflow.address,
        }

    def _secret_settings(self) -> dict[str, dict[str, str]]:
        """By secret, what leads to it; writes the files."""
        texts = {
            "airflow_database": self.postgres.url(DATABASE),
            "airflow_fernet": self.secrets.airflow_fernet,
            "airflow_jwt": self.secrets.airflow_jwt,
            "airflow_api": self.secrets.airflow_api,
            "data_store": self.data.credentials(),
            **({"redis": self.redis.url()} if self.redis else {}),
        }
        # MLflow's client knows no file but one in the home folder, which is a person's.
        client = self.mlflow.client_environment()
        signing = {"MODEL_SIGNING_KEY_FILE": client.pop("MODEL_SIGNING_KEY_FILE")}
        mlflow = {"mlflow_admin": client, "model_signing": signing}
        return secret_settings.write(self.home.parent / "airflow-secrets", texts) | mlflow

    def _executor(self, inherited: Mapping[str, str]) -> dict[str, str]:
        if self.redis is None:
            # One thread a task, so as many tasks as cores.
            slots = inherited.get("AIRFLOW__CORE__PARALLELISM") or str(max(2, os.cpu_count() or 2))
            return {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor", "AIRFLOW__CORE__PARALLELISM": slots}
        return {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"}

    def worker(self, name: str, inherited: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Command and environment of a Celery worker that shares no folder with the others, as on another machine."""
        command = [*_AIRFLOW, "celery", "worker", "--celery-hostname", f"{name}@%h", "--concurrency", "1"]
        own = self.home.parent / name
        own.mkdir(parents=True, exist_ok=True)
        places = {"AIRFLOW_HOME": str(own / "airflow"), "RETRAINING_VAR": str(own), "RETRAINING_WORKER": name}
        # That it is ready is read from its log, which would not say so at a higher level.
        logging = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
        return [*command, "--skip-serve-logs"], {**self.environment(inherited, "worker"), **places, **logging}

    def prepare(self, environment: Mapping[str, str], log: Path) -> None:
        """Make or upgrade its tables, and its user where there is none; may be repeated.

        Raises:
            StackError: it failed; the message has the end of its log.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        _call(["db", "migrate"], environment, log)
        names = ["--username", USER, "--firstname", "Admin", "--lastname", "User", "--email", f"{USER}@example.invalid"]
        # Asked for twice. Through standard input: a command line can be read by everybody on the machine.
        answer = f"{self.secrets.airflow_admin}\n" * 2
        _call(["users", "create", "--role", "Admin", *names], environment, log, answer)

    def takes_tasks(self) -> bool:
        """Whether its API server answers people and tasks."""
        return takes_tasks(self.address)

    def answers(self, since: float) -> bool:
        """Whether all its services are healthy, and have said so since a moment (seconds since 1970)."""
        return airflow_is_ready(self.address, since)


_AIRFLOW = [sys.executable, "-m", "airflow"]


def _call(arguments: list[str], environment: Mapping[str, str], log: Path, answer: str = "") -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        done = subprocess.run(
            [*_AIRFLOW, *arguments],
            env=environment,
            input=answer.encode(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # without a terminal, passwords are read from standard input
        )
    if done.returncode:
        last = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-15:])
        raise StackError(f"`airflow {' '.join(arguments[:2])}` failed. End of {log}:\n{last}")
