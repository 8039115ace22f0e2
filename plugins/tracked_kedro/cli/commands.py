"""The commands of this library; each imports what it needs when it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tracked_kedro.cli.plain_errors import PlainErrors
from tracked_kedro.kedro_side.library_warnings import hide_library_warnings
from tracked_kedro.kedro_side.locations import project_path

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=PlainErrors)
def commands() -> None:
    """Kedro pipelines as Airflow DAGs, tracked in MLflow."""
    hide_library_warnings()


@click.group()
def kedro_commands() -> None:
    """Commands of the package tracked-kedro, for `kedro`."""


kedro_commands.add_command(commands, "tracked")


_SET = click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Parameter of the run; repeatable.")


def _model(command: F) -> F:
    """The options that name a registered model: itself, or the pipeline whose block does."""
    command = click.option("--pipeline", default="", help="Whose block names the model, where --model does not.")(
        command
    )
    return click.option("--model", default="", metavar="NAME[/VERSION]", help="Registered model.")(command)


_VARIABLES = click.option(
    "--variable",
    "variables",
    multiple=True,
    metavar="NAME",
    help="Environment variable that holds what a person gave to make; the DAG's block says which it takes.",
)


@commands.command()
@click.option("--dag", required=True, help="DAG to run.")
@_SET
@_VARIABLES
def retrain(dag: str, settings: tuple[str, ...], variables: tuple[str, ...]) -> None:
    """Run a DAG once with `airflow dags test` and print its result."""
    from tracked_kedro.cli.retrain import run

    raise SystemExit(run(project_path(), dag, settings, variables))


@commands.command("dags-test", hidden=True)
@click.option("--dag", required=True, help="DAG to run.")
def dags_test(dag: str) -> None:
    """Be the process in which `retrain` has Airflow run a DAG."""
    from tracked_kedro.cli.airflow_process import dags_test as run

    run(dag)


@commands.command()
@click.option("--pipeline", required=True, help="Pipeline to run.")
@click.option("--months", default=3, show_default=True, type=click.IntRange(1, 120), help="How many months.")
@_SET
@_VARIABLES
def replay(pipeline: str, months: int, settings: tuple[str, ...], variables: tuple[str, ...]) -> None:
    """Retrain consecutive months, one after the other, without Airflow."""
    from tracked_kedro.cli.replay import replay as run

    raise SystemExit(run(project_path(), pipeline, months, settings, variables))


@commands.command("run-part")
@click.option("--pipeline", required=True, help="Pipeline.")
@click.option("--part", required=True, help="Its part.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Kedro parameter; repeatable.")
def run_part(pipeline: str, part: str, settings: tuple[str, ...]) -> None:
    """Run a part of a pipeline without Airflow, and say what it wrote."""
    from tracked_kedro.cli.parts import run_part as run

    run(project_path(), pipeline, part, dict(text.split("=", 1) for text in settings))


@commands.command()
@click.option("--run", required=True, help="Id of a finished parent run.")
@click.option("--force", is_flag=True, help="Also where its code had uncommitted changes.")
@click.option("--branch", default="HEAD", help="Whose commits may be run; by default those that are checked out.")
def reproduce(run: str, force: bool, branch: str) -> None:
    """Run a past run again beside the present, and tell the first difference."""
    from tracked_kedro.cli.reproduce import compare

    raise SystemExit(compare(run, force, branch))


@commands.command()
@_model
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5001, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--wait", is_flag=True, help="Without a version, answer 503 until there is one.")
def serve(model: str, pipeline: str, host: str, port: int, wait: bool) -> None:
    """Serve a registered model's champion, or one version of it, with MLflow's scorer."""
    from tracked_kedro.cli.named_models import of_pipeline
    from tracked_kedro.cli.serve import serve as run

    run(model or of_pipeline(pipeline), host, port, wait)


@commands.command()
@_model
@click.option("--to", type=int, help="Version to make champion; the previous champion by default.")
@click.option("--why", default="", help="Kept with the version and in the history.")
def rollback(model: str, pipeline: str, to: int | None, why: str) -> None:
    """Make an earlier version champion again."""
    from tracked_kedro.cli.models import rollback as run
    from tracked_kedro.cli.named_models import of_pipeline

    run(model or of_pipeline(pipeline), to, why)


@commands.command()
@_model
def models(model: str, pipeline: str) -> None:
    """Show a registered model's versions, aliases and history."""
    from tracked_kedro.cli.models import show
    from tracked_kedro.cli.named_models import of_pipeline

    show(model or of_pipeline(pipeline))


@commands.command("sign-models")
@click.option("--version", help="One version that you vouch for, NAME/NUMBER.")
def sign_models(version: str | None) -> None:
    """Sign the versions from before signatures, once for each store."""
    from tracked_kedro.cli.sign_models import sign_models as run

    run(version)


@commands.command()
@click.option("--beside", type=int, hidden=True, help="Process id of a scheduler: look for as long as it lives.")
def reconcile(beside: int | None) -> None:
    """End MLflow runs that were left open by a DAG run that is over or gone."""
    from tracked_kedro.cli import reconcile, watch

    raise SystemExit(reconcile.run() if beside is None else watch.beside(beside))


@commands.command("render-dags")
@click.option("--target", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to.")
def render_dags(target: Path) -> None:
    """Render one DAG file per block of airflow.yml."""
    from tracked_kedro.rendering.render import render

    rendered = render(project_path(), target)
    for path in rendered.removed:
        click.echo(f"removed {path}")
    for path in rendered.made:
        click.echo(f"made {path}")
    click.echo("Airflow reads them from there. Once, without it: make retrain DAG=<name>")


@commands.command()
@click.option("--name", default="", help="Block of one project, whose environment is built anew.")
@click.option("--check", is_flag=True, help="Build nothing; exit code 1 where something is missing.")
def environments(name: str, check: bool) -> None:
    """Build the environments of hosted projects that want their own."""
    from tracked_kedro.cli.environments import environments as run

    raise SystemExit(0 if run(project_path(), name, check) else 1)


@commands.command("add-project")
@click.option("--from", "source", default="", help="Folder, address of a git repository, or wheel.")
@click.option("--name", default="", help="Name of the DAG; the package's without it.")
def add_project(source: str, name: str) -> None:
    """Host a Kedro project as it is: check it, and write its block."""
    from tracked_kedro.cli.projects import add_project as add

    add(project_path(), source, name)


@commands.command("remove-project")
@click.argument("name", default="")
def remove_project(name: str) -> None:
    """Remove a hosted project's block and environment."""
    from tracked_kedro.cli.projects import remove_project as remove

    for path in remove(project_path(), name):
        click.echo(f"removed {path}")
    click.echo("Its runs and registered models stay on the tracking server. `make dags` takes its DAG away.")


@commands.command("new-pipeline")
@click.argument("name", default="")
def new_pipeline(name: str) -> None:
    """Scaffold a pipeline, its configuration and a first test."""
    from tracked_kedro.rendering.scaffold import new_pipeline as make

    project = project_path()
    for path in make(project, name):
        click.echo(f"made {path.relative_to(project.parent)}")
    click.echo(f"\nIt runs as it is: make dags && make retrain DAG={name}")
    click.echo("Then put your data and model into nodes.py; docs/bring-your-own.md goes on to promotion and serving.")
    click.echo(f"To take it away again: make delete-pipeline NAME={name}")


@commands.command("delete-pipeline")
@click.argument("name", default="")
def delete_pipeline(name: str) -> None:
    """Delete a pipeline's three folders: code, configuration, tests."""
    from tracked_kedro.rendering.scaffold import delete_pipeline as delete

    project = project_path()
    for path in delete(project, name):
        click.echo(f"removed {path.relative_to(project.parent)}")
    click.echo("Its runs and registered models stay on the tracking server; its DAG goes when dags/ is rendered again.")
