"""Commands of this project beside Kedro's own: `kedro retrain`, `kedro ui`, `kedro render-dags`."""

from __future__ import annotations

from pathlib import Path

import click
from kedro.framework.startup import ProjectMetadata


@click.group(name="retraining")
def cli() -> None:
    """Monthly retraining."""


@cli.command()
@click.option("--dag", default="climate_brazil", show_default=True, help="DAG to run.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Parameter of the DAG run; repeatable.")
@click.pass_obj
def retrain(metadata: ProjectMetadata, dag: str, settings: tuple[str, ...]) -> None:
    """Run a DAG once with `airflow dags test` and print its result."""
    from retraining.commands.retrain import run

    raise SystemExit(run(metadata, dag, settings))


@cli.command()
@click.pass_obj
def ui(metadata: ProjectMetadata) -> None:
    """Serve Airflow's and MLflow's web pages on loopback until Ctrl-C."""
    from retraining.commands.ui import serve

    raise SystemExit(serve())


@cli.command("render-dags")
@click.option("--target", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to.")
@click.pass_obj
def render_dags(metadata: ProjectMetadata, target: Path) -> None:
    """Render one DAG file per block of airflow.yml."""
    from retraining.commands.render import render

    for path in render(metadata, target):
        click.echo(f"made {path}")
