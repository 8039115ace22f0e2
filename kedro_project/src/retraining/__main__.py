"""Commands behind the Makefile: `python -m retraining --help` lists them."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from retraining.locations import PROJECT


@click.group()
def cli() -> None:
    """Monthly retraining."""
    # Libraries warn each other about things that the person at this terminal cannot change.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    logging.getLogger("py.warnings").propagate = False


@cli.command()
@click.option("--dag", default="climate_brazil", show_default=True, help="DAG to run.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Parameter of the DAG run; repeatable.")
def retrain(dag: str, settings: tuple[str, ...]) -> None:
    """Run a DAG once with `airflow dags test` and print its result."""
    from retraining.commands.retrain import run

    raise SystemExit(run(PROJECT, dag, settings))


@cli.command()
@click.option("--pipeline", default="climate_brazil", show_default=True, help="Pipeline to run.")
@click.option("--months", default=3, show_default=True, type=click.IntRange(1, 120), help="How many months.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Parameter of the runs; repeatable.")
def replay(pipeline: str, months: int, settings: tuple[str, ...]) -> None:
    """Retrain consecutive months, one after the other, without Airflow."""
    from retraining.commands.replay import replay as run

    raise SystemExit(run(PROJECT, pipeline, months, settings))


@cli.command()
def ui() -> None:
    """Serve Airflow's and MLflow's web pages on loopback until Ctrl-C."""
    from retraining.commands.ui import serve

    raise SystemExit(serve())


@cli.command()
@click.option(
    "--workers", type=click.IntRange(0), default=0, help="Celery workers; none: the scheduler runs the tasks."
)
def native(workers: int) -> None:
    """Run the production stack as processes on loopback until Ctrl-C."""
    from retraining.commands.native import serve

    raise SystemExit(serve(workers))


@cli.command()
@click.option("--file", "target", type=click.Path(path_type=Path), help="File to write.")
def backup(target: Path | None) -> None:
    """Back the stack up into one file, while it works."""
    from retraining.commands.backup import make

    make(target)


@cli.command()
@click.option("--file", type=click.Path(path_type=Path), required=True, help="A backup.")
@click.option("--force", is_flag=True, help="Replace a stack that is not empty.")
def restore(file: Path, force: bool) -> None:
    """Restore the stack from a backup."""
    from retraining.commands.backup import bring_back

    bring_back(file, force)


@cli.command()
@click.option("--run", required=True, help="Id of a finished parent run.")
@click.option("--force", is_flag=True, help="Also where its code had uncommitted changes.")
def reproduce(run: str, force: bool) -> None:
    """Run a past run again beside the present, and tell the first difference."""
    from retraining.commands.reproduce import compare

    raise SystemExit(compare(run, force))


@cli.command()
@click.option("--model", default="climate-brazil", show_default=True, metavar="NAME[/VERSION]", help="What to serve.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5001, show_default=True, help="Port to listen on.")
@click.option("--wait", is_flag=True, help="Without a version, answer 503 until there is one.")
def serve(model: str, host: str, port: int, wait: bool) -> None:
    """Serve a registered model's champion, or one version of it, with MLflow's scorer."""
    from retraining.commands.serve import serve as run

    run(model, host, port, wait)


@cli.command()
@click.option("--model", default="climate-brazil", show_default=True, help="Registered model.")
@click.option("--to", type=int, help="Version to make champion; the previous champion by default.")
@click.option("--why", default="", help="Kept with the version and in the history.")
def rollback(model: str, to: int | None, why: str) -> None:
    """Make an earlier version champion again."""
    from retraining.commands.models import rollback as run

    run(model, to, why)


@cli.command()
@click.option("--model", default="climate-brazil", show_default=True, help="Registered model.")
def models(model: str) -> None:
    """Show a registered model's versions, aliases and history."""
    from retraining.commands.models import show

    show(model)


@cli.command()
def prepare() -> None:
    """Make the embedded MLflow store."""
    from retraining.commands.prepare import prepare_tracking

    prepare_tracking()


@cli.command("render-dags")
@click.option("--target", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to.")
def render_dags(target: Path) -> None:
    """Render one DAG file per block of airflow.yml."""
    from retraining.commands.render import render

    for path in render(PROJECT, target):
        click.echo(f"made {path}")


@cli.command("create-buckets")
def create_buckets() -> None:
    """Make the stack's buckets and their keys (in a container of the stack)."""
    from retraining.commands.create_buckets import run

    run()


@cli.command()
def accounts() -> None:
    """Make Airflow's first user and MLflow's service user (in a container of the stack)."""
    from retraining.commands.accounts import run

    run()


@cli.command("new-pipeline")
@click.argument("name", default="")
def new_pipeline(name: str) -> None:
    """Scaffold a pipeline, its configuration and a first test."""
    from retraining.commands.scaffold import new_pipeline as make

    *files, airflow = make(PROJECT, name)
    for path in files:
        click.echo(f"made {path.relative_to(PROJECT.parent)}")
    click.echo(f"added a block to {airflow.relative_to(PROJECT.parent)}")
    click.echo(f"\nIt runs as it is: make dags && make retrain DAG={name}")
    click.echo("Then put your data and model into nodes.py; docs/bring-your-own.md goes on to promotion and serving.")


@cli.command()
@click.option("--keep", type=int, required=True, help="How many parent runs of each experiment stay.")
@click.option("--apply", "really", is_flag=True, help="Remove what is found; without it, count only.")
def prune(keep: int, really: bool) -> None:
    """Count or remove old runs and what belongs to them (in a container of the stack)."""
    from retraining.commands.prune import run

    run(keep, really)


if __name__ == "__main__":
    cli(prog_name="python -m retraining")
