"""`make dags`: DAG files from Kedro pipelines, through `kedro airflow create` and this project's template."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from kedro.framework.startup import bootstrap_project

from retraining.commands.settings import dag_blocks

TEMPLATE = Path("templates") / "dag.py.j2"


def render(project: Path, target: Path) -> list[Path]:
    """Render every pipeline that has a block in airflow.yml to `<target>/<pipeline>_dag.py`.

    Raises:
        click.ClickException: `kedro airflow create` failed; its output is the message.
    """
    metadata = bootstrap_project(project)
    pipelines = sorted(dag_blocks(project))
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "kedro", "airflow", "create", "--group-by", "namespace"]
        command += ["--pipelines", ",".join(pipelines), "--target-dir", folder]
        command += ["--jinja-file", str(project / TEMPLATE)]
        # The command loads the context and so would ask the tracking server; rendering needs none.
        environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise click.ClickException(f"kedro airflow create failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        rendered = []
        for name in pipelines:
            text = (Path(folder) / f"{metadata.package_name}_{name}_dag.py").read_text()
            path = target / f"{name}_dag.py"
            path.write_text(_formatted(text))
            rendered.append(path)
    return rendered


def _formatted(code: str) -> str:
    # In this repository's style, so that a generated file reads like the others.
    command = ["ruff", "format", "--stdin-filename", "dag.py", "--isolated", "--line-length", "120", "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout
