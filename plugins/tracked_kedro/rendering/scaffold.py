"""`make new-pipeline` and `make delete-pipeline`: a pipeline is one name in three folders; no other file says it."""

from __future__ import annotations

import keyword
import re
import shutil
from pathlib import Path

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tracked_kedro.rendering.folders import folders, known, package_name

TEMPLATES = Path(__file__).parent / "templates" / "pipeline"
# Task ids, dataset names and the registered model's name are made of it.
_LONGEST = 50
# Kedro would read every file of a folder that begins so as configuration of that kind.
_KINDS = ("airflow", "catalog", "credentials", "globals", "logging", "mlflow", "parameters")


def new_pipeline(project: Path, name: str) -> list[Path]:
    """Write a pipeline, its configuration and a first test.

    Args:
        project: folder of the Kedro project; tests lie beside it.
        name: of the pipeline, its package and its DAG.

    Returns:
        What was made.

    Raises:
        click.ClickException: the name cannot be used or is taken; nothing was written then.
    """
    if problem := _problem(project, name):
        raise click.ClickException(f"{problem} Nothing was written.")
    where = folders(project, name)
    targets = {
        **{part: where.package / part for part in ("__init__.py", "nodes.py", "parameters.py", "pipeline.py")},
        **{part: where.conf / part for part in ("airflow.yml", "catalog.yml", "parameters.yml")},
        "test_nodes.py": where.tests / "test_nodes.py",
    }
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Python and YAML, not HTML
    )
    values = {
        "name": name,
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "package": package_name(project),
    }
    texts = {path: environment.get_template(f"{key}.j2").render(values) for key, path in targets.items()}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(texts)


def delete_pipeline(project: Path, name: str) -> list[Path]:
    """Remove a pipeline's folders: code, configuration in every environment, tests.

    Args:
        project: folder of the Kedro project.
        name: of the pipeline.

    Returns:
        The folders that were removed.

    Raises:
        click.ClickException: there is no such pipeline; nothing was removed then.
    """
    names = known(project)
    if name not in names:
        which = f"There is no pipeline {name!r}" if name else "Which name? make delete-pipeline NAME=rents"
        raise click.ClickException(f"{which}; known are {', '.join(names) or 'none'}. Nothing was removed.")
    present = folders(project, name).present()
    for folder in present:
        shutil.rmtree(folder)
    return present


def _problem(project: Path, name: str) -> str | None:
    if not name:
        return "Which name? make new-pipeline NAME=rents."
    shown = f"{name!r} cannot be the name of a pipeline:"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or name == "default":
        return f"{shown} use small letters, digits and underscores, a letter first, and no word of Python's."
    if len(name) > _LONGEST:
        return f"{shown} it has {len(name)} characters; {_LONGEST} are enough."
    if kind := next((kind for kind in _KINDS if name.startswith(kind)), None):
        return f"{shown} Kedro reads folders of conf/ that begin with {kind!r} as configuration of that kind."
    where = folders(project, name)
    if taken := [path for path in (*where.present(), where.package.with_suffix(".py")) if path.exists()]:
        return f"There is a pipeline {name} already ({taken[0].relative_to(project.parent)})."
    return None
