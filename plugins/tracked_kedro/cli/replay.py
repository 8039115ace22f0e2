"""`make replay`: consecutive months, one run after the other, as a schedule would have made them; without Airflow."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click
import mlflow
from kedro.framework.session import KedroSession
from mlflow.tracking import MlflowClient

from tracked_kedro.cli.locks import RETRAIN, only_one
from tracked_kedro.cli.settings import dag_settings, kedro_parameters
from tracked_kedro.month import shifted
from tracked_kedro.rendering.completion import dag_blocks

DECISION = "promotion/decision.md"


def replay(project: Path, pipeline: str, months: int, settings: Sequence[str], variables: Sequence[str] = ()) -> int:
    """Run a pipeline for some consecutive months, the last of them being the one that `make retrain` would run.

    Args:
        project: folder of the Kedro project.
        pipeline: a pipeline with a parameter `cutoff`.
        months: how many.
        settings: parameters as NAME=VALUE; `cutoff` is that of the last month.
        variables: what a person gave to make, see `settings.from_make`.

    Returns:
        Exit code: 0 when every month was trained, whatever was promoted.

    Raises:
        click.ClickException: a setting cannot be used, or another retraining is running.
    """
    with only_one(RETRAIN, "wait for it, or use another folder with VAR=<folder>"):
        given = dag_settings(project, pipeline, settings, variables)
        if "cutoff" not in given:
            raise click.ClickException(f"{pipeline} has no months: its block in airflow.yml has no parameter cutoff")
        block = dag_blocks(project)[pipeline]
        cutoffs = _cutoffs(date.fromisoformat(given["cutoff"]), months)
        for cutoff in cutoffs:
            begin = time.monotonic()
            click.echo(f"\n=== {pipeline} with cutoff {cutoff}")
            conf = {**given, "cutoff": cutoff.isoformat()}
            _run(project, pipeline, kedro_parameters(block, conf), f"replay__{cutoff}")
            click.echo(_decision(pipeline))
            click.echo(f"{time.monotonic() - begin:.1f} s")
    replayed = "1 month is" if months == 1 else f"{months} months are"
    click.echo(f"\n{replayed} replayed. `make models` shows the versions, `make ui` the runs.")
    return 0


def _cutoffs(last: date, count: int) -> list[date]:
    return [shifted(last, number + 1 - count) for number in range(count)]


def _run(project: Path, pipeline: str, parameters: dict[str, Any], run_key: str) -> None:
    # Their notes to each other would hide the decisions; what fails is raised.
    for name in ("kedro", "kedro_mlflow", "kedro_viz", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("retraining").setLevel(logging.WARNING)
    values = {**parameters, "run_key": run_key}
    with KedroSession.create(project_path=project, runtime_params=values, save_on_close=False) as session:
        session.run(pipeline_names=[pipeline])  # type: ignore[call-arg]


def _decision(pipeline: str) -> str:
    experiment = MlflowClient().get_experiment_by_name(pipeline)
    assert experiment is not None
    query = "tags.`mlflow.parentRunId` IS NULL"
    [run] = MlflowClient().search_runs([experiment.experiment_id], query, max_results=1)
    return f"MLflow run {run.info.run_id}\n\n{mlflow.artifacts.load_text(f'runs:/{run.info.run_id}/{DECISION}')}"
