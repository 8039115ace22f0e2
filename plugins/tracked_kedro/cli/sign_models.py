"""`make sign-models`: versions from before signatures get theirs, once for each store; later only by name."""

from __future__ import annotations

import hashlib
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from tracked_kedro.cli import named_models
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.kedro_side.locations import var_folder
from tracked_kedro.paging import paged
from tracked_kedro.promotion.registry import Registry, RegistryError, parse_reference
from tracked_kedro.serving.signing import SIGNATURE_TAG, SigningKeyError, is_ours, signed, signing_key

_EARLIER = "Versions from before signatures were signed earlier; name another with VERSION=<model>/<number>."


def sign_models(reference: str | None = None) -> None:
    """Sign the versions from before signatures, or one that is named, and say so.

    Args:
        reference: a version that a person vouches for, `rents/7`.

    Raises:
        click.ClickException: there is no such version, or no key.
    """
    tracking_server.connect()
    try:
        if reference:
            model, number = parse_reference(reference)
            named_models.check(model)
            told = [_sign(MlflowClient(), Registry(model).version(number))]
        else:
            told = sign_once()
    except (RegistryError, SigningKeyError) as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(told))


def sign_once() -> list[str]:
    """Sign what the tracking server has now without a signature, the first time that this is called; what was done.

    Where a version has a signature, the time before signatures is over, whatever this machine's record or key: one that
    has none was put there by somebody else, or is for a person to vouch for.

    Raises:
        SigningKeyError: there is no key.
    """
    record = var_folder() / f"models_signed_{hashlib.sha256(signing_key(make=True)).hexdigest()[:12]}.json"
    if record.exists():
        return [_EARLIER]
    client = MlflowClient()
    found = list(paged(client.search_model_versions))
    is_first = not any(SIGNATURE_TAG in one.tags for one in found)
    told = [_sign(client, one) for one in found] if is_first else [_EARLIER]
    record.write_text(json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), "versions": told}, indent=1))
    return told or ["There is no version without a signature."]


def _sign(client: MlflowClient, version: ModelVersion) -> str:
    name = f"{version.name} version {version.version}"
    if not is_ours(str(version.source)):
        return f"{name} is not signed: its source is outside this deployment's artifacts"
    try:
        with tempfile.TemporaryDirectory() as folder:
            get_artifact_repository(str(version.source)).download_artifacts("", folder)
            tags = signed(version.name, Path(folder))
    except (MlflowException, OSError) as error:
        return f"{name} is not signed: its files cannot be read ({type(error).__name__})"
    for key, value in tags.items():
        client.set_model_version_tag(version.name, version.version, key, value)
    return f"{name} is signed"
