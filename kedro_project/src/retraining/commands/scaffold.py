"""`make new-pipeline`: a pipeline that runs at once, from the templates in `templates/pipeline/`."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

from retraining.commands.settings import dag_blocks

TEMPLATES = Path("templates") / "pipeline"
AIRFLOW = Path("conf") / "base" / "airflow.yml"
# Task ids, dataset names and the registered model's name are made of it.
_LONGEST = 50


def new_pipeline(project: Path, name: str) -> list[Path]:
    """Write a pipeline, its catalog, parameters, block in airflow.yml and first test.

    Args:
        project: folder of the Kedro project; tests lie beside it.
        name: of the pipeline, its package and its DAG.

    Returns:
        What was made; last the file to which the block was added.

    Raises:
        click.ClickException: the name cannot be used or is taken; nothing was written then.
    """
    if problem := _problem(project, name):
        raise click.ClickException(f"{problem} Nothing was written.")
    package = project / "src" / "retraining" / "pipelines" / name
    conf = project / "conf" / "base"
    targets = {
        **{template: package / template for template in ("__init__.py", "nodes.py", "pipeline.py", "parameters.py")},
        "catalog.yml": conf / f"catalog_{name}.yml",
        "parameters.yml": conf / f"parameters_{name}.yml",
        "test_nodes.py": project.parent / "tests" / "unit" / "pipelines" / name / "test_nodes.py",
    }
    if taken := [path for path in (package, *targets.values()) if path.exists()]:
        raise click.ClickException(f"{taken[0]} exists already. Nothing was written.")
    environment = Environment(
        loader=FileSystemLoader(project / TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Python and YAML, not HTML
    )
    values = {"name": name, "class_name": "".join(part.capitalize() for part in name.split("_"))}
    texts = {path: environment.get_template(f"{key}.j2").render(values) for key, path in targets.items()}
    block = environment.get_template("airflow.yml.j2").render(values)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    airflow = project / AIRFLOW
    joined = airflow.with_name(f".{airflow.name}.new")
    joined.write_text(airflow.read_text().rstrip("\n") + "\n" + block)
    joined.replace(airflow)
    return [*texts, airflow]


def _problem(project: Path, name: str) -> str | None:
    if not name:
        return "Which name? make new-pipeline NAME=rents."
    shown = f"{name!r} cannot be the name of a pipeline:"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or name == "default":
        return f"{shown} use small letters, digits and underscores, a letter first, and no word of Python's."
    if len(name) > _LONGEST:
        return f"{shown} it has {len(name)} characters; {_LONGEST} are enough."
    blocks = dag_blocks(project)
    bootstrap_project(project)
    if name in pipelines or name in blocks:
        return f"There is a pipeline {name} already."
    return None
