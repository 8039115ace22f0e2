"""Where the stores of a running native stack are: a file in its folder, for other commands such as `make backup`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from operations.native.secrets import RUNNING, write_secret
from operations.native.stack import Stores


@contextlib.contextmanager
def published(folder: Path, stores: Stores) -> Iterator[None]:
    """Show other commands where the stores of the running stack are, for as long as they run.

    with published(folder, stores): ...
    """
    file = folder / RUNNING
    lines = [f"{name}={value}" for name, value in variables_of(stores).items()]
    write_secret(file, "\n".join(lines) + "\n")
    try:
        yield
    finally:
        file.unlink()


def running_environment(native: Path) -> dict[str, str]:
    """What a client of the running native stack has in its environment.

    Raises:
        click.ClickException: it is still starting, or about to end.
    """
    file = native / RUNNING
    if not file.exists():
        raise click.ClickException("`make native` is starting or stopping; try again in a moment")
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def variables_of(stores: Stores) -> dict[str, str]:
    """The variables of an environment that names native stores. They hold secrets."""
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": stores.postgres.url("airflow"),
        "MLFLOW_BACKEND_STORE_URI": stores.postgres.url("mlflow"),
        "RETRAINING_ARTIFACTS": stores.mlflow.artifact_root,
        "ARTIFACTS_ENDPOINT_URL": stores.artifacts.address,
        "ARTIFACTS_ACCESS_KEY_ID": stores.artifacts.key,
        "ARTIFACTS_SECRET_ACCESS_KEY": stores.artifacts.secret,
        "RETRAINING_DATA": f"s3://{stores.data.bucket}/runs",
        **stores.data.client_environment(),
        **stores.mlflow.client_environment(),
        "BACKUP_SIGNING_KEY": stores.secrets.backup_signing,
    }
