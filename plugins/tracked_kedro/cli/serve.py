"""`make serve`: a registered model's champion, or one version of it, over HTTP."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import Any

import click
from mlflow.entities.model_registry import ModelVersion

from tracked_kedro.cli import named_models
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.kedro_side.locations import project_path
from tracked_kedro.promotion.registry import Registry, RegistryError, parse_reference
from tracked_kedro.serving.doors import guarded
from tracked_kedro.serving.limits import Limits
from tracked_kedro.serving.server import NoVersionError, Scorer, load_here
from tracked_kedro.serving.signing import SigningKeyError, UntrustedVersionError

MOST_CONNECTIONS = 200  # more are answered 503 before anything is read


def serve(reference: str, host: str, port: int, wait: bool) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        reference: a model's champion or a version, see `promotion.registry.parse_reference`.
        host: address to listen on.
        port: and port.
        wait: answer 503 until there is a version, instead of ending with an error.

    Raises:
        click.ClickException: the reference names no version or one that is not this deployment's own, or the
            environment has an impossible limit or token.
    """
    import uvicorn

    from tracked_kedro.serving.connections import Connection

    # A store that others can write to must not hand us code in a pickle.
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    try:
        model, version = parse_reference(reference)
        scorer = Scorer(model, version, partial(_version, Registry(model)), Limits.of_environment(), load)
        app = guarded(scorer)
    except (RegistryError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    tracking_server.connect()
    if not wait:
        named_models.check(model)
    try:
        click.echo(f"{model} version {scorer.refresh()} is loaded.")
    except NoVersionError as error:
        if not wait:
            raise click.ClickException(str(error)) from error
        click.echo(f"{error}. Waiting for it.")
    except (UntrustedVersionError, SigningKeyError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Serving {reference} at http://{host}:{port}/invocations (and /ping); Ctrl-C ends it.")
    follow = contextlib.nullcontext() if version.isdecimal() else scorer.following()
    with follow:
        uvicorn.run(
            app,
            host=host,
            port=port,
            http=Connection,
            log_level="warning",
            lifespan="off",
            limit_concurrency=MOST_CONNECTIONS,
        )


def load(version: ModelVersion, folder: Path) -> tuple[Any, Any]:
    """The model of a version, in the process that may load it.

    Raises:
        NoVersionError: its project is not hosted here, or cannot load it.
    """
    from tracked_kedro.hosting.answering import AnsweringModel, is_answered_elsewhere

    if not is_answered_elsewhere(version.tags):
        return load_here(version, folder)
    import mlflow

    from tracked_kedro.cli.environments import hosted_projects
    from tracked_kedro.errors import TrackedKedroError

    dag = version.tags.get("airflow.dag_id", "")
    project = hosted_projects(project_path()).get(dag)
    if project is None:
        raise NoVersionError(
            f"{version.name} version {version.version} answers in the process of the hosted project {dag!r}, of which "
            "airflow.yml has no block here; make add-project brings it"
        )
    try:
        model = AnsweringModel(project, folder, mlflow.get_tracking_uri())
    except TrackedKedroError as error:
        raise NoVersionError(f"{version.name} version {version.version} cannot be loaded: {error}") from error
    return model, model


def _version(registry: Registry, reference: str) -> ModelVersion:
    try:
        return registry.version(reference)
    except RegistryError as error:
        raise NoVersionError(str(error)) from error
