"""`prune`: old runs with what belongs to them, counted first and removed only when asked to.

Of each experiment the newest parent runs stay, and every run from which an aliased version of a model came (champion,
previous, challenger). With a parent run go its children, its versions, its data between tasks and its task logs. Raw
inputs stay: they are kept once by content, and later runs read them too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import fsspec
from mlflow.entities import Run, ViewType
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tracked_kedro.kedro_side.locations import run_folder
from tracked_kedro.paging import paged
from tracked_kedro.promotion.registry import RUN_TAG

DAG_ID, DAG_RUN_ID = "airflow.dag_id", "airflow.dag_run_id"
# Marks a run that this command deleted and `mlflow gc` has not yet removed, from one that a person put aside.
PRUNED = "retraining.pruned"
# A DAG run begins before its first task opens the parent run: its rows must stay with that.
AHEAD = timedelta(days=1)


@dataclass
class Plan:
    """What would be removed.

    Attributes:
        parents: parent runs, the oldest first.
        children: runs under them.
        versions: (model, version) that they registered and no alias names.
        folders: addresses of data and task logs, with their bytes.
        artifact_bytes: size of the runs' artifacts.
        oldest_kept: when the oldest parent run that stays began, None where none stays.
    """

    parents: list[Run] = field(default_factory=list)
    children: list[Run] = field(default_factory=list)
    versions: list[tuple[str, str]] = field(default_factory=list)
    folders: dict[str, int] = field(default_factory=dict)
    artifact_bytes: int = 0
    oldest_kept: datetime | None = None

    @property
    def total_bytes(self) -> int:
        """Bytes that removing it frees in the object store."""
        return self.artifact_bytes + sum(self.folders.values())


def plan(client: MlflowClient, keep: int, logs: str | None = None) -> Plan:
    """Look for what is old enough.

    Args:
        client: of the tracking server.
        keep: how many parent runs of each experiment stay, at least 1.
        logs: address of Airflow's task logs, None where they are not remote.

    Raises:
        click.ClickException: `keep` is less than 1.
    """
    if keep < 1:
        raise click.ClickException(f"KEEP={keep}: at least 1 run of each experiment stays")
    found = Plan()
    versions = list(paged(client.search_model_versions))
    needed = set(_came_from(client, versions))
    kept = []
    for experiment in paged(client.search_experiments):
        runs = list(paged(client.search_runs, [experiment.experiment_id], order_by=["attributes.start_time DESC"]))
        parents = [run for run in runs if MLFLOW_PARENT_RUN_ID not in run.data.tags]
        old = [run for run in parents[keep:] if run.info.run_id not in needed and run.info.status != "RUNNING"]
        gone = {run.info.run_id for run in old}
        found.parents += old
        found.children += [run for run in runs if run.data.tags.get(MLFLOW_PARENT_RUN_ID) in gone]
        kept += [run.info.start_time for run in parents if run.info.run_id not in gone]
    found.parents.sort(key=lambda run: run.info.start_time)
    gone = {run.info.run_id for run in found.parents}
    found.versions = [(one.name, one.version) for one in versions if (one.tags.get(RUN_TAG) or one.run_id) in gone]
    found.oldest_kept = datetime.fromtimestamp(min(kept) / 1000, UTC) if kept else None
    for run in found.parents:
        for address in _folders(run, logs):
            if size := _size(address):
                found.folders[address] = size
    found.artifact_bytes = sum(_artifact_bytes(client, run.info.run_id) for run in [*found.parents, *found.children])
    return found


def apply(client: MlflowClient, found: Plan) -> None:
    """Remove it; runs last, so that what was interrupted is found again."""
    for model, version in found.versions:
        client.delete_model_version(model, version)
    for address in found.folders:
        filesystem, path = fsspec.core.url_to_fs(address)
        filesystem.rm(path, recursive=True)
    for run in [*found.children, *found.parents]:
        client.set_tag(run.info.run_id, PRUNED, "true")
        client.delete_run(run.info.run_id)


def waiting(client: MlflowClient) -> list[str]:
    """Ids of runs that were removed here, now or by a call that was interrupted, and still have rows and artifacts."""
    everywhere = [experiment.experiment_id for experiment in paged(client.search_experiments)]
    query = f"tags.`{PRUNED}` = 'true'"
    found = paged(client.search_runs, everywhere, query, run_view_type=ViewType.DELETED_ONLY)
    return [run.info.run_id for run in found]


def run(keep: int, really: bool) -> None:
    """Print what is old enough, and remove it where `really`; the last line is for `make prune`."""
    client = MlflowClient()
    click.echo("Looking at runs, versions, data and logs ...")
    found = plan(client, keep, os.environ.get("AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"))
    for parent in found.parents:
        click.echo(f"  {datetime.fromtimestamp(parent.info.start_time / 1000, UTC):%Y-%m-%d}  {parent.info.run_name}")
    click.echo(
        f"{len(found.parents)} parent runs, {len(found.children)} child runs, {len(found.versions)} model versions, "
        f"{len(found.folders)} folders of data and logs; {found.total_bytes:,} bytes"
    )
    if really:
        apply(client, found)
        click.echo(f"Removed; {found.total_bytes:,} bytes are freed once `mlflow gc` has run")
    ids = [*(() if really else [one.info.run_id for one in [*found.children, *found.parents]]), *waiting(client)]
    before = (found.oldest_kept - AHEAD).isoformat() if found.oldest_kept else ""
    click.echo(f"prune: before={before} runs={','.join(ids)}")


def _came_from(client: MlflowClient, versions: Iterable[Any]) -> Iterator[str]:
    """Ids of the runs that aliased versions came from, their parents included, and every run their tags name."""
    # A search does not tell aliases; the model does.
    aliased = {
        (model.name, str(version))
        for model in paged(client.search_registered_models)
        for version in model.aliases.values()
    }
    for version in versions:
        if (version.name, str(version.version)) in aliased:
            named = {version.run_id, *version.tags.values()}
            for run_id in {text for text in named if text and re.fullmatch(r"[0-9a-f]{32}", text)}:
                yield run_id
                parent = client.get_run(run_id).data.tags.get(MLFLOW_PARENT_RUN_ID)
                if parent:
                    yield parent


def _folders(run: Run, logs: str | None) -> Iterator[str]:
    dag, dag_run = run.data.tags.get(DAG_ID), run.data.tags.get(DAG_RUN_ID)
    if dag and dag_run:
        yield run_folder(dag, re.sub(r"[^\w.-]+", "_", dag_run))
        if logs:
            yield f"{logs.rstrip('/')}/dag_id={dag}/run_id={dag_run}"


def _size(address: str) -> int:
    filesystem, path = fsspec.core.url_to_fs(address)
    return int(filesystem.du(path)) if filesystem.exists(path) else 0


def _artifact_bytes(client: MlflowClient, run_id: str, path: str | None = None) -> int:
    files = client.list_artifacts(run_id, path)
    return sum(_artifact_bytes(client, run_id, one.path) if one.is_dir else one.file_size or 0 for one in files)
