"""The tracking server as a process: basic authentication, users and runs in Postgres, artifacts proxied to S3."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from operations.native.health import body
from operations.native.object_store import ObjectStore
from operations.native.ports import HOST, free_port
from operations.native.postgres import Postgres
from operations.native.secrets import Secrets, write_secret

USER = "admin"
# A file of its folder: what signs and verifies registered versions. The server never reads it.
SIGNING_KEY = "model_signing_key"
# Names under which it answers, on any port; to any other it says 403.
ALLOWED_HOSTS = "localhost:*,127.0.0.1:*"


@dataclass(frozen=True)
class Mlflow:
    """An MLflow server with basic authentication that proxies artifacts; only it holds the keys of their store."""

    folder: Path
    secrets: Secrets
    postgres: Postgres
    artifacts: ObjectStore
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    @property
    def artifact_root(self) -> str:
        """Where it keeps artifacts."""
        return f"s3://{self.artifacts.bucket}/artifacts"

    def command(self) -> list[str]:
        """The command that serves it; addresses with passwords are in its environment."""
        command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
        return [*command, "--host", HOST, "--port", str(self.port)]

    def environment(self) -> dict[str, str]:
        """What the server needs; writes the file that tells where its users are kept, and its clients' signing key."""
        users = self.folder / "basic_auth.ini"
        self.folder.mkdir(parents=True, exist_ok=True)
        write_secret(self.folder / SIGNING_KEY, self.secrets.model_signing)
        write_secret(
            users,
            "[mlflow]\ndefault_permission = READ\n"
            # Else each request checks the password's hash anew: 0.14 CPU-s, most of what a series costs the server.
            "auth_cache_ttl_seconds = 60\n"
            f"database_uri = {self.postgres.url('mlflow')}\n"
            f"admin_username = {USER}\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n",
        )
        return {
            **self.artifacts.client_environment(),
            "MLFLOW_BACKEND_STORE_URI": self.postgres.url("mlflow"),
            "MLFLOW_ARTIFACTS_DESTINATION": self.artifact_root,
            "MLFLOW_AUTH_CONFIG_PATH": str(users),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.secrets.mlflow_admin,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self.secrets.mlflow_flask,
            "MLFLOW_SERVER_ALLOWED_HOSTS": ALLOWED_HOSTS,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }

    def client_environment(self) -> dict[str, str]:
        """What a client needs to log to it."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": self.secrets.mlflow_admin,
            "MODEL_SIGNING_KEY_FILE": str(self.folder / SIGNING_KEY),
        }

    def answers(self) -> bool:
        """Whether it is healthy."""
        return bool(body(f"{self.address}/health"))
