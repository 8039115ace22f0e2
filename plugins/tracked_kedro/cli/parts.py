"""`make forecast` and `make data`: one part of a pipeline, without Airflow, and what it has written."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import mlflow
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession

from tracked_kedro.cli.kedro_run import refusals_in_one_line
from tracked_kedro.cli.progress import Screen
from tracked_kedro.kedro_side.discovery import SEPARATOR
from tracked_kedro.kedro_side.project_config import bootstrapped
from tracked_kedro.kedro_side.quiet_runner import without_advice
from tracked_kedro.kedro_side.sessions import nested


def run_part(project: Path, pipeline: str, part: str, parameters: Mapping[str, Any]) -> None:
    """Run a part and print which files it wrote, and the MLflow run that has them.

    Args:
        project: folder of the Kedro project.
        pipeline: name of the pipeline.
        part: its part, as its `PARTS` names it.
        parameters: of the session, by dotted name.

    Raises:
        click.ClickException: there is no such part, or it refuses.
    """
    bootstrapped(project)
    without_advice()
    for name in ("kedro", "kedro_mlflow", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    name = f"{pipeline}{SEPARATOR}{part}"
    _check(pipeline, part)
    click.echo(f"Running {name} ...")
    with (
        Screen(name),
        refusals_in_one_line(),
        KedroSession.create(
            project_path=project, runtime_params=nested(dict(parameters)), save_on_close=False
        ) as session,
    ):
        made = session.run(pipeline_names=[name])  # type: ignore[call-arg]
    places = sorted({place for dataset in made.values() for place in _places(dataset)})
    for place in places:
        click.echo(f"wrote {place}")
    run = mlflow.last_active_run()
    if run is not None:
        click.echo(f"MLflow run {run.info.run_id} has the same; look at it in the browser: make ui")
    else:
        click.echo(f"{'It is done' if places else 'There was nothing to write'}. Next: make retrain DAG={pipeline}")


def _check(pipeline: str, part: str) -> None:
    if f"{pipeline}{SEPARATOR}{part}" in pipelines:
        return
    if pipeline not in pipelines:
        known = sorted(name for name in pipelines if SEPARATOR not in name and name != "__default__")
        raise click.ClickException(f"There is no pipeline {pipeline!r}; known are {', '.join(known)}")
    offers = sorted(name.split(SEPARATOR)[0] for name in pipelines if name.endswith(f"{SEPARATOR}{part}"))
    raise click.ClickException(
        f"{pipeline} has no part {part!r}" + (f"; pipelines that have one: {', '.join(offers)}" if offers else "")
    )


def _places(dataset: Any) -> list[str]:
    """Files that a dataset has written, as it describes itself; those of a dataset inside of it too."""
    described = dataset._describe() if hasattr(dataset, "_describe") else {}
    nested_ones = [value for value in described.values() if isinstance(value, Mapping)]
    return [str(one[key]) for one in [described, *nested_ones] for key in ("filepath", "path") if one.get(key)]
