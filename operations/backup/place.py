"""Where a stack keeps its state: addresses and credentials, from the environment or from a native stack's folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from operations.backup.container import with_secrets
from operations.native.running import running_environment, variables_of
from operations.native.secrets import kept
from operations.native.stack import Stores

# What `make backup` and `make restore` need to know of a stack that is not `make native`'s.
VARIABLES = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "MLFLOW_BACKEND_STORE_URI",
    "RETRAINING_ARTIFACTS",
    "ARTIFACTS_ENDPOINT_URL",
    "ARTIFACTS_ACCESS_KEY_ID",
    "ARTIFACTS_SECRET_ACCESS_KEY",
    "RETRAINING_DATA",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "BACKUP_SIGNING_KEY",
)


@dataclass(frozen=True)
class Bucket:
    """A bucket, and a boto3 client that may read and write it."""

    name: str
    client: Any = field(repr=False)

    def objects(self) -> Iterator[tuple[str, int]]:
        """Key and size of each object."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name):
            for item in page.get("Contents", []):
                yield item["Key"], item["Size"]


@dataclass(frozen=True)
class Place:
    """State of a stack: databases by name, buckets by name, who administers MLflow, and what signs its backups.

    Attributes:
        folder: where the stores keep it, where that is on this machine.
    """

    databases: Mapping[str, str] = field(repr=False)
    buckets: Mapping[str, Bucket]
    mlflow_user: str
    mlflow_password: str = field(repr=False)
    signing_key: str = field(repr=False)
    folder: Path | None = None


def place_of_environment() -> Place | None:
    """The stack that the environment names, as in a container of it; none where it names no backend store.

    Raises:
        click.ClickException: it names a stack, but not all of it.
    """
    return _from(with_secrets(os.environ)) if os.environ.get("MLFLOW_BACKEND_STORE_URI") else None


def place_of_running(native: Path) -> Place:
    """The native stack that is running on a folder.

    Raises:
        click.ClickException: it is still starting, or about to end.
    """
    return _from(running_environment(native))


def place_of_stores(stores: Stores) -> Place:
    """Native stores of this process."""
    return _from(variables_of(stores), stores.logs.parent)


def signing_key(native: Path) -> str | None:
    """The key of the stack that the environment names, else of the native one; None where it has none yet."""
    if os.environ.get("MLFLOW_BACKEND_STORE_URI"):
        return with_secrets(os.environ).get("BACKUP_SIGNING_KEY")
    return kept(native, "backup_signing")


def _from(known: Mapping[str, str], folder: Path | None = None) -> Place:
    if missing := [name for name in VARIABLES if not known.get(name)]:
        raise click.ClickException(f"The environment names a stack, but lacks {', '.join(missing)}")
    return Place(
        databases={
            "airflow": known["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
            "mlflow": known["MLFLOW_BACKEND_STORE_URI"],
        },
        buckets={
            "data": _bucket(known["RETRAINING_DATA"], known, "AWS_ENDPOINT_URL_S3", "AWS"),
            "artifacts": _bucket(known["RETRAINING_ARTIFACTS"], known, "ARTIFACTS_ENDPOINT_URL", "ARTIFACTS"),
        },
        mlflow_user=known["MLFLOW_TRACKING_USERNAME"],
        mlflow_password=known["MLFLOW_TRACKING_PASSWORD"],
        signing_key=known["BACKUP_SIGNING_KEY"],
        folder=folder,
    )


def _bucket(address: str, known: Mapping[str, str], endpoint: str, prefix: str) -> Bucket:
    import boto3
    from botocore.config import Config

    if not address.startswith("s3://"):
        raise click.ClickException(f"{address!r} is no address in S3 (s3://bucket/folder)")
    client = boto3.client(
        "s3",
        endpoint_url=known[endpoint],
        aws_access_key_id=known[f"{prefix}_ACCESS_KEY_ID"],
        aws_secret_access_key=known[f"{prefix}_SECRET_ACCESS_KEY"],
        region_name=known.get("AWS_DEFAULT_REGION") or "us-east-1",
        config=Config(response_checksum_validation="when_required"),
    )
    return Bucket(address.removeprefix("s3://").partition("/")[0], client)
