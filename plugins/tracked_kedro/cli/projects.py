"""`make add-project` and `make remove-project`: a Kedro project becomes a DAG, and leaves again."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from tracked_kedro.cli.environments import hosted_projects
from tracked_kedro.errors import PermanentError, TrackedKedroError
from tracked_kedro.hosting.bringing import BROUGHT, brought, relative
from tracked_kedro.hosting.description import Description, describe
from tracked_kedro.hosting.project import HostedProject, deployment
from tracked_kedro.rendering.folders import known
from tracked_kedro.rendering.proposal import missing, proposed


def add_project(project: Path, source: str, name: str = "") -> Path:
    """Check a project, write its block, and say what is missing.

    Args:
        project: folder of this deployment's own Kedro project, whose conf gets the block.
        source: folder, address of a git repository, or wheel.
        name: of the block, and of the DAG; the package's without it.

    Returns:
        The file of the block.

    Raises:
        click.ClickException: the project cannot be hosted, or the name is taken; nothing is left behind.
    """
    if not source:
        raise click.ClickException("Name the project: make add-project FROM=<folder, git address or wheel>")
    try:
        with brought(source, name) as (name, folder):
            if name in {*known(project), *hosted_projects(project)}:
                raise PermanentError(f"there is a DAG {name} already; choose another name with NAME=")
            described, lacks = _described(HostedProject(name, relative(folder)))
    except TrackedKedroError as error:
        raise click.ClickException(str(error)) from error
    text = proposed(name, relative(folder), described)
    file = project / "conf" / "base" / name / "airflow.yml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    click.echo(
        f"made {file.relative_to(project.parent)}, {len(text.splitlines())} lines; no file of {folder} was changed:\n"
    )
    click.echo("".join(f"    {line}\n" for line in text.splitlines()))
    for sentence in [*lacks, *(missing(folder, described) if described else [])]:
        click.echo(f"missing: {sentence}")
    steps = f"make environments NAME={name} && " if described is None else ""
    click.echo(f"Look through the block (docs/hosting.md), then: {steps}make dags && make retrain DAG={name}")
    click.echo(f"To take it away again: make remove-project NAME={name}")
    return file


def remove_project(project: Path, name: str) -> list[Path]:
    """Remove a hosted project's block and environment, and its folder where it was brought here.

    Returns:
        What was removed; `make dags` takes the DAG away.

    Raises:
        click.ClickException: no hosted project has this name, or its block stands in a file with others.
    """
    hosted = hosted_projects(project)
    if name not in hosted:
        raise click.ClickException(
            f"There is no hosted project {name!r}; there are: {', '.join(sorted(hosted)) or 'none'}"
        )
    own = project / "conf" / "base" / name
    if not (own / "airflow.yml").is_file():
        raise click.ClickException(f"The block {name} stands among others in conf/base; take it out of that file")
    here = deployment() / BROUGHT
    folders = [own, hosted[name].environment_folder]
    if hosted[name].folder.is_relative_to(here.resolve()):
        folders.append(hosted[name].folder)
    removed = [path for path in folders if path.exists()]
    for path in removed:
        shutil.rmtree(path)
    return removed


def _described(project: HostedProject) -> tuple[Description | None, list[str]]:
    """What a project consists of; None where this deployment's environment cannot tell, with the reason."""
    try:
        described = describe(project)
    except PermanentError as error:
        if "is missing where this project runs" not in str(error):
            raise
        return None, [str(error)]
    faults = [about.fault for about in described.datasets.values() if about.fault and "No module" in about.fault]
    return (None, faults) if faults else (described, [])
