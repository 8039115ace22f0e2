"""`make dags`: what it renders, and that what is committed is what it renders."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import click
import pytest
import yaml

from tests.deployment import ROOT
from tests.fixtures.dags import dag_bag, dag_of, render_dags, rendered
from tests.fixtures.rents import write_project
from tracked_kedro.rendering.render import TEMPLATE, render
from tracked_kedro.rendering.scaffold import delete_pipeline, new_pipeline


def test_committed_files_are_what_the_template_renders(tmp_path: Path, environment: dict[str, str]):
    """Byte for byte. If this fails: `make dags`, and commit what it made."""
    files = rendered(ROOT / "kedro_project", tmp_path / "dags", environment)
    committed = sorted((ROOT / "dags").glob("*.py"))
    assert [path.name for path in files] == [path.name for path in committed]
    for path, known in zip(files, committed, strict=True):
        assert path.read_bytes() == known.read_bytes(), f"{known.name} is out of date: make dags"


def test_airflow_imports_them_without_error(environment: dict[str, str]):
    found = dag_bag(ROOT / "dags", environment)
    assert found["errors"] == {}
    assert [f"{name}_dag.py" for name in found["dags"]] == sorted(path.name for path in (ROOT / "dags").glob("*.py"))


@pytest.mark.parametrize("entry", ["'", '"', "\\", "{{ x }}", "São <Luís> & Cia"])
def test_labels_are_emitted_as_python_literals(entry: str):
    """The template's only way of writing a value."""
    import ast

    from jinja2 import Environment

    template = Environment(autoescape=False).from_string("{{ value | pprint }}")
    assert ast.literal_eval(template.render(value=entry)) == entry
    assert "{% macro literal(value) %}{{ value | pprint }}{% endmacro" in TEMPLATE.read_text()


RINGS = """
from kedro.pipeline import node, pipeline


def create_pipeline():
    return pipeline([node(len, "x", "y", name="a"), node(len, "y", "x", name="b")])
"""


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "src/lettings/pipelines/rings/__init__.py",
            RINGS,
            r"pipelines/rings/__init__\.py, line 6: CircularDependencyError: .*; let one of these nodes",
        ),
        (
            "conf/base/airflow.yml",
            "default: {owner: me\n",
            r"Invalid YAML or JSON file .*/airflow\.yml, unable to read line 1, position 0; correct it in .*/conf",
        ),
        (
            "conf/base/catalog_own.yml",
            "rents_table: {type: MemoryDataset}\n",
            r"conf/base/catalog_own\.yml and conf/base/rents/catalog\.yml both define rents_table; each file needs",
        ),
    ],
    ids=["circle", "yaml", "two catalogs"],
)
def test_what_cannot_even_be_read_is_told_in_one_line(
    tmp_path: Path, environment: dict[str, str], file: str, text: str, message: str
):
    project = write_project(tmp_path / "lettings")
    (project / file).parent.mkdir(exist_ok=True)
    (project / file).write_text(text)
    done = render_dags(project, tmp_path / "dags", environment)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert re.match(rf"Error: No DAG can be rendered; nothing was written\. {message}", line)
    assert done.stderr.strip().endswith(line)
    assert not (tmp_path / "dags").exists()


def test_configuration_that_a_deleted_pipeline_left_is_named_with_the_command(tmp_path: Path):
    """As `kedro pipeline delete` leaves it: its parameters alone would be refused without saying why they are there."""
    project = write_project(tmp_path / "lettings")
    shutil.rmtree(project / "src" / "lettings" / "pipelines" / "rents")
    with pytest.raises(click.ClickException) as refused:
        render(project, tmp_path / "dags")
    assert refused.value.message == (
        "No DAG can be rendered; nothing was written. Problems: 1\n  conf/base/rents is left over: there is no package "
        "pipelines/rents any more; remove it (make delete-pipeline NAME=rents)"
    )


BARE = {"description": "Mean", "doc": "Mean.", "params": {"use_mlflow": None}}
ODD = {"description": r"It's \"odd\", \d and {{ ds }}", "doc": 'odd {{ names }} """ \\', "schedule": "@daily"}


ALIKE = {"bare": BARE, "scheduled": {**BARE, "schedule": "@daily"}, "odd": ODD}


def test_whatever_a_block_leaves_out_or_says_the_file_passes_the_linter(tmp_path: Path, environment: dict[str, str]):
    project = write_project(tmp_path / "lettings")
    delete_pipeline(project, "rents")
    for name, block in ALIKE.items():
        new_pipeline(project, name)
        (project / "conf" / "base" / name / "airflow.yml").write_text(yaml.safe_dump({name: block}))
    files = rendered(project, tmp_path / "dags", environment)
    for check in (["check"], ["format", "--check"]):
        command = ["ruff", *check, "--config", str(ROOT / "pyproject.toml"), str(tmp_path / "dags")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    assert dag_bag(tmp_path / "dags", environment) == {"dags": sorted(ALIKE), "errors": {}}
    dags = {dag.dag_id: dag for dag in map(dag_of, files)}
    assert {name: dag.description for name, dag in dags.items()} == {n: b["description"] for n, b in ALIKE.items()}
    for name, dag in dags.items():
        doc, unpausing = str(ALIKE[name]["doc"]), "**Unpausing** starts the newest interval that the schedule has due"
        assert dag.doc_md.startswith(doc if name == "bare" else f"{doc}\n\n{unpausing}")
        assert f"](/to-mlflow/dag/{name}/report)" in dag.doc_md


@pytest.mark.parametrize(("asked", "ends"), [(None, True), ("retrain", False)])
def test_a_task_may_end_a_run_without_news_unless_the_block_says_retrain(
    tmp_path: Path, environment: dict[str, str], asked: str | None, ends: bool
):
    project = write_project(tmp_path / "lettings")
    file = project / "conf" / "base" / "rents" / "airflow.yml"
    block = yaml.safe_load(file.read_text())
    block["rents"] |= {"max_active_runs": 3, "dagrun_timeout_hours": 99, "schedule": "@weekly"}
    block["rents"]["registered_model"] |= {"when_nothing_new": asked} if asked else {}
    file.write_text(yaml.safe_dump(block))
    (made,) = rendered(project, tmp_path / "dags", environment)
    dag = dag_of(made)
    assert {task.task_id for task in dag.tasks if getattr(task, "ends_where_nothing_new", False)} == {"read"} & {
        task.task_id for task in dag.tasks if ends
    }
    assert ("before it trains" in dag.doc_md) is ends
    assert (dag.max_active_runs, dag.dagrun_timeout) == (3, timedelta(hours=99))
