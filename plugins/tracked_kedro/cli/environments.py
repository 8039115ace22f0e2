"""`make environments`: builds the environments of hosted projects that want their own, and says what it made."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tracked_kedro.errors import TrackedKedroError
from tracked_kedro.hosting.building import build, state
from tracked_kedro.hosting.project import HostedProject, is_hosted
from tracked_kedro.rendering.completion import dag_blocks
from tracked_kedro.rendering.hosted_blocks import hosted_project


def environments(project: Path, name: str = "", check: bool = False) -> bool:
    """Build what is missing or older than its lock; with a name, that project's anew.

    Args:
        project: folder of this deployment's Kedro project, whose conf has the blocks.
        name: of one block; all without it.
        check: build nothing, and say what is missing.

    Returns:
        Whether each environment is there and fits its project.

    Raises:
        click.ClickException: there is no such block, or an environment cannot be built.
    """
    own = {key: one for key, one in hosted_projects(project).items() if one.environment == "own"}
    if name and name not in own:
        known = ", ".join(sorted(own)) or "none"
        raise click.ClickException(f"No block {name!r} says `environment: own` in airflow.yml; those that do: {known}")
    if not own:
        click.echo("No block of airflow.yml says `environment: own`: nothing to build.")
    fits = True
    for key, one in sorted(own.items()):
        if name not in ("", key):
            continue
        lacks = state(one)
        if check or (lacks is None and not name):
            fits = fits and lacks is None
            click.echo(lacks or f"{key}: {one.environment_folder} is up to date")
            continue
        click.echo(f"{key}: building its environment (minutes, where much is downloaded) ...")
        begin = time.monotonic()
        try:
            made = build(one)
        except TrackedKedroError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"{key}: made {made} in {time.monotonic() - begin:.0f} s")
    return fits


def hosted_projects(project: Path) -> dict[str, HostedProject]:
    """Hosted projects of a deployment, by the names of their blocks."""
    return {name: hosted_project(name, block) for name, block in dag_blocks(project).items() if is_hosted(block)}
