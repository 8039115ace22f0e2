"""The DAG on CeleryExecutor: Redis with a password and two workers that share no folder, data in S3."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mlflow.tracking import MlflowClient

from operations.native import airflow
from operations.native.api import AirflowApi
from operations.native.errors import MissingPartError
from operations.native.stack import Stack, started_stack
from tests.fixtures.stack import folder_for_postgres, stack_environment
from tests.pipelines.climate_brazil.integration.dag_runs import DAG, WITHIN, children_of, parent_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]
SERIES = ["belem", "curitiba", "manaus", "recife", "rio", "salvador"]


@pytest.fixture(scope="module")
def celery() -> Iterator[Stack]:
    """A stack with two Celery workers; skipped where a program is missing."""
    with folder_for_postgres() as folder:
        try:
            with started_stack(folder, stack_environment(folder), workers=2) as running:
                yield running
        except MissingPartError as error:
            pytest.skip(f"needs the native stack with Celery workers: {error}")


def test_two_workers_share_the_shards_of_a_dag_run(celery: Stack, monkeypatch: pytest.MonkeyPatch):
    for name, value in celery.stores.mlflow.client_environment().items():
        monkeypatch.setenv(name, value)
    api = AirflowApi(celery.airflow.address, airflow.USER, celery.stores.secrets.airflow_admin)
    # No folder of station files: the first task writes the sample where it runs, and the other worker must read it too.
    conf = {"series": SERIES, "cutoff": "2019-11-01", "series_per_task": 1, "n_ahead": 3, "audit_series": 0}
    api.trigger(DAG, "by_celery", conf)
    assert api.wait(DAG, "by_celery", within=2 * WITHIN) == "success", [
        (task["task_id"], task["state"]) for task in api.tasks(DAG, "by_celery")
    ]
    client = MlflowClient(celery.stores.mlflow.address)
    parent = parent_of(client, "by_celery")
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["simulated"] == "true"
    children = children_of(client, parent)
    assert {child.data.tags["series"] for child in children.values()} == set(SERIES)
    assert {child.data.tags["worker"] for child in children.values()} == {"worker-1", "worker-2"}
    # Tasks ran in the workers alone, and what they made is in neither's folder.
    assert {task["executor"] for task in api.tasks(DAG, "by_celery")} <= {None, "CeleryExecutor"}
    for worker in ("worker-1", "worker-2"):
        assert not (celery.stores.logs.parent / worker / "data").exists()
    secrets = celery.stores.secrets.values()
    logs = {file.name: file.read_text(errors="replace") for file in celery.stores.logs.iterdir()}
    assert {"worker-1.log", "worker-2.log", "redis.log"} <= logs.keys()
    assert [(name, log) for name, value in secrets.items() for log, text in logs.items() if value in text] == []
