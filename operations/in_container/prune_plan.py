"""What `prune` would remove, and why: looked for among runs that this deployment's Airflow knows.

Whoever may write to the tracking server may have written any run, tag and version there. A tag can keep something; to
remove something takes an experiment of this deployment's DAGs, the identity of its Airflow and a DAG run that it knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from operations.in_container.airflow_runs import AirflowRuns
from operations.in_container.run_folders import Folder, folders
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.names import DAG_RUN_ID_TAG
from tracked_kedro.paging import paged
from tracked_kedro.promotion.registry import RUN_TAG

_RUN_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


@dataclass
class Plan:
    """What would be removed.

    Attributes:
        parents: parent runs, the oldest first.
        why: reason to remove each of them, by its id.
        stay: old parent runs that stay, with the reason.
        unknown: how many parent runs in the DAGs' experiments are of no DAG run that this Airflow knows.
        children: runs under the parents.
        versions: (model, version) that they registered and no alias names.
        folders: data and task logs, with their bytes.
        shared: folders that stay because a run that stays has them, too.
        artifact_bytes: size of the runs' artifacts.
        oldest_kept: when the oldest parent run that stays began, None where none stays.
    """

    parents: list[Run] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    stay: list[tuple[Run, str]] = field(default_factory=list)
    unknown: int = 0
    children: list[Run] = field(default_factory=list)
    versions: list[tuple[str, str]] = field(default_factory=list)
    folders: dict[Folder, int] = field(default_factory=dict)
    shared: list[Folder] = field(default_factory=list)
    artifact_bytes: int = 0
    oldest_kept: datetime | None = None

    @property
    def total_bytes(self) -> int:
        """Bytes that removing it frees in the object store."""
        return self.artifact_bytes + sum(self.folders.values())


def plan(client: MlflowClient, keep: int, airflow: AirflowRuns, logs: str | None = None) -> Plan:
    """Look for what is old enough.

    Args:
        client: of the tracking server.
        keep: how many parent runs of each DAG stay, at least 1.
        airflow: what this deployment's Airflow knows.
        logs: address of Airflow's task logs, None where they are not remote.

    Raises:
        click.ClickException: `keep` is less than 1.
    """
    if keep < 1:
        raise click.ClickException(f"KEEP={keep}: at least 1 run of each experiment stays")
    ids = [one.experiment_id for one in paged(client.search_experiments)]
    runs = {run.info.run_id: run for one in ids for run in paged(client.search_runs, [one])}
    versions = list(paged(client.search_model_versions))
    found, parents = Plan(), []
    for dag, experiment in experiments(client, airflow).items():
        own = [run for run in runs.values() if run.info.experiment_id == experiment and not _parent_id(run)]
        known = sorted((run for run in own if airflow.owns(run, dag)), key=began, reverse=True)
        parents += own
        found.unknown += len(own) - len(known)
        for run in known[keep:]:
            found.why[run.info.run_id] = (
                f"DAG run {run.data.tags[DAG_RUN_ID_TAG]} of {dag}, older than the newest {keep}; nothing uses it"
            )
    _keep_what_is_used(found, runs, _busy(runs, airflow), _from_versions(client, versions, set(found.why)))
    found.parents = sorted((runs[one] for one in found.why), key=began)
    # A child of another experiment is another's run, whatever parent it names.
    found.children = [
        run
        for run in runs.values()
        if (parent := _parent_id(run)) in found.why and run.info.experiment_id == runs[parent].info.experiment_id
    ]
    found.versions = [(one.name, str(one.version)) for one in versions if one.run_id in found.why]
    kept = [began(run) for run in parents if run.info.run_id not in found.why]
    found.oldest_kept = min(kept) if kept else None
    _add_folders(found, runs, logs)
    found.artifact_bytes = sum(_artifact_bytes(client, run.info.run_id) for run in [*found.parents, *found.children])
    return found


def experiments(client: MlflowClient, airflow: AirflowRuns) -> dict[str, str]:
    """Id of the experiment of each DAG that has run here, by the DAG's id; it bears the name of its pipeline."""
    found = {dag: client.get_experiment_by_name(tracking_server.experiment(dag)) for dag in airflow.dags}
    return {dag: one.experiment_id for dag, one in found.items() if one and one.lifecycle_stage == "active"}


def _busy(runs: Mapping[str, Run], airflow: AirflowRuns) -> dict[str, str]:
    """Runs that something works on, and why."""
    found = {}
    for run_id, run in runs.items():
        if run.info.status == "RUNNING":
            found[_parent_id(run) or run_id] = "it is running"
        elif airflow.is_active(run):
            found[run_id] = "its DAG run is queued or running"
    return found


def _from_versions(client: MlflowClient, versions: Sequence[Any], old: set[str]) -> dict[str, str]:
    """Runs that a version of a model needs, and why: one with an alias, or one that a DAG run has not registered."""
    # A search does not tell aliases; the model does.
    aliases = {
        (model.name, str(version)): alias
        for model in paged(client.search_registered_models)
        for alias, version in model.aliases.items()
    }
    found = {}
    for one in versions:
        alias = aliases.get((one.name, str(one.version)))
        registered_here = one.run_id in old and one.tags.get(RUN_TAG) == one.run_id
        if alias or not registered_here:
            reason = f"{one.name} version {one.version}{f' ({alias})' if alias else ''} came from it"
            texts = [one.run_id or "", one.source or "", *one.tags.values()]
            found.update(dict.fromkeys((run_id for text in texts for run_id in _RUN_ID.findall(text)), reason))
    return found


def _keep_what_is_used(
    found: Plan, runs: Mapping[str, Run], busy: Mapping[str, str], needed: Mapping[str, str]
) -> None:
    """Take runs out of the plan that are needed, then those that a run which stays names in a tag, and so on."""
    used = {**needed, **busy}
    while True:
        for run_id in [run_id for run_id in used if run_id in runs]:
            used.setdefault(_parent_id(runs[run_id]) or run_id, used[run_id])
        staying = [run_id for run_id in found.why if run_id in used]
        for run_id in staying:
            del found.why[run_id]
            found.stay.append((runs[run_id], used[run_id]))
        carried = {
            named: f"the run {run_id}, which stays, names it"
            for run_id, run in runs.items()
            if run_id not in found.why and _parent_id(run) not in found.why
            for text in run.data.tags.values()
            for named in _RUN_ID.findall(text)
            if named != run_id
        }
        new = {named: reason for named, reason in carried.items() if named not in used}
        used.update(new)
        if not new and not staying:
            return


def _add_folders(found: Plan, runs: Mapping[str, Run], logs: str | None) -> None:
    stays = [run for run_id, run in runs.items() if run_id not in found.why]
    used = {folder for run in stays for folder in folders(run.data.tags, logs)}
    for run in found.parents:
        for folder in folders(run.data.tags, logs):
            if folder in used:
                found.shared.append(folder)
            elif size := folder.size():
                found.folders[folder] = size


def _parent_id(run: Run) -> str:
    return run.data.tags.get(MLFLOW_PARENT_RUN_ID, "")


def began(run: Run) -> datetime:
    """When a run began; a client may have written any number, and the calendar has an end."""
    return datetime.fromtimestamp(min(max((run.info.start_time or 0) / 1000, 0), 253_402_000_000), UTC)


def _artifact_bytes(client: MlflowClient, run_id: str, path: str | None = None) -> int:
    files = client.list_artifacts(run_id, path)
    return sum(_artifact_bytes(client, run_id, one.path) if one.is_dir else one.file_size or 0 for one in files)
