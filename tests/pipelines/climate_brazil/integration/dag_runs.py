"""DAG runs of the native stack, and what MLflow knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tracked_kedro.names import DAG_ID_TAG, DAG_RUN_ID_TAG

DAG = "climate_brazil"
SERIES = {"belem": "Belém", "rio": "Rio de Janeiro"}
WITHIN = 600  # seconds for a DAG run of two series on a busy machine


@dataclass(frozen=True)
class Triggered:
    """A DAG run, and the states that its parent was seen in before `close_run` had started."""

    run_id: str
    state: str
    seen: list[str]
    tasks: list[dict]


def parent_of(client: MlflowClient, run_id: str) -> Run | None:
    experiment = client.get_experiment_by_name(DAG)
    query = f"tags.`{DAG_ID_TAG}` = '{DAG}' AND tags.`{DAG_RUN_ID_TAG}` = '{run_id}'"
    found = client.search_runs([experiment.experiment_id], query) if experiment else []
    assert len(found) <= 1
    return found[0] if found else None


def children_of(client: MlflowClient, parent: Run) -> dict[str, Run]:
    query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'"
    found = client.search_runs([parent.info.experiment_id], query)
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def artifacts_of(client: MlflowClient, run: Run, folder: str | None = None) -> Iterator[str]:
    for file in client.list_artifacts(run.info.run_id, folder):
        if file.is_dir:
            yield from artifacts_of(client, run, file.path)
        else:
            yield file.path
