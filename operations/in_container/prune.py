"""`prune`: old runs with what belongs to them, counted first and removed only when asked to.

Of each DAG the newest parent runs stay, and every run that something uses. With a parent run go its children, its
versions, its data between tasks and its task logs. Raw inputs stay: they are kept once by content, and later runs read
them too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta

import click
from mlflow.entities import Run, ViewType
from mlflow.tracking import MlflowClient

from operations.in_container.airflow_runs import AirflowRuns
from operations.in_container.prune_plan import Plan, began, experiments, plan
from tracked_kedro.cli.printable import printable
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.paging import paged

# Marks a run that this command deleted and `mlflow gc` has not yet removed, from one that a person put aside.
PRUNED = "retraining.pruned"
# A DAG run begins before its first task opens the parent run: its rows must stay with that.
AHEAD = timedelta(days=1)


def apply(client: MlflowClient, found: Plan) -> None:
    """Remove it; runs last, so that what was interrupted is found again."""
    for model, version in found.versions:
        client.delete_model_version(model, version)
    for folder in found.folders:
        folder.remove()
    for run in [*found.children, *found.parents]:
        client.set_tag(run.info.run_id, PRUNED, "true")
        client.delete_run(run.info.run_id)


def waiting(client: MlflowClient, ours: Sequence[str]) -> list[str]:
    """Ids of runs that were removed here, now or by a call that was interrupted, and still have rows and artifacts.

    Args:
        client: of the tracking server.
        ours: ids of the experiments of this deployment's DAGs.
    """
    query = f"tags.`{PRUNED}` = 'true'"
    found = paged(client.search_runs, list(ours), query, run_view_type=ViewType.DELETED_ONLY) if ours else ()
    return [run.info.run_id for run in found]


def run(keep: int, really: bool) -> None:
    """Print what is old enough, and remove it where `really`; the last line is for `make prune`."""
    tracking_server.connect()
    client, airflow = MlflowClient(), AirflowRuns.of_database()
    click.echo("Looking at runs, versions, data and logs ...")
    found = plan(client, keep, airflow, os.environ.get("AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"))
    for parent in found.parents:
        click.echo(f"  {_said(parent)}: {printable(found.why[parent.info.run_id])}")
    for parent, reason in found.stay:
        click.echo(f"  {_said(parent)} stays: {printable(reason)}")
    for folder in found.shared:
        click.echo(f"  {printable(folder.path)} stays: a run that stays has it, too")
    if found.unknown:
        click.echo(f"  {found.unknown} parent runs are of no DAG run that this Airflow knows, and stay")
    click.echo(
        f"{len(found.parents)} parent runs, {len(found.children)} child runs, {len(found.versions)} model versions, "
        f"{len(found.folders)} folders of data and logs; {found.total_bytes:,} bytes"
    )
    if really:
        apply(client, found)
        click.echo(f"Removed; {found.total_bytes:,} bytes are freed once `mlflow gc` has run")
    left = waiting(client, list(experiments(client, airflow).values()))
    ids = [*(() if really else [one.info.run_id for one in [*found.children, *found.parents]]), *left]
    before = (found.oldest_kept - AHEAD).isoformat() if found.oldest_kept else ""
    click.echo(f"prune: before={before} runs={','.join(ids)}")


def _said(run: Run) -> str:
    return f"{began(run):%Y-%m-%d}  {printable(run.info.run_name)} ({run.info.run_id})"
