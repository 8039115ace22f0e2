"""Backup while a DAG run goes on, and its restoration into an empty stack: everything is what it was."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import mlflow
import pandas as pd
import psycopg2
import pytest
from mlflow.tracking import MlflowClient

from operations.backup.archive import Archive
from operations.backup.entries import MANIFEST, SIGNATURE
from operations.backup.place import place_of_stores
from operations.backup.transfer import backup, restore
from operations.native.api import AirflowApi
from operations.native.stack import Stack, Stores, started_stores
from tests.fixtures.stack import folder_for_postgres
from tests.pipelines.climate_brazil.integration.dag_runs import (
    DAG,
    WITHIN,
    Triggered,
    artifacts_of,
    children_of,
    parent_of,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]
MODEL = "kept-model"


def use(stores: Stores, patch: pytest.MonkeyPatch) -> MlflowClient:
    for name, value in stores.mlflow.client_environment().items():
        patch.setenv(name, value)
    mlflow.set_tracking_uri(stores.mlflow.address)
    return MlflowClient()


def state(client: MlflowClient, run_id: str, folder: Path) -> dict[str, Any]:
    """A DAG run as MLflow tells it: runs, digests of all artifacts, versions, aliases, and what the model predicts."""
    parent = parent_of(client, run_id)
    runs = [parent, *children_of(client, parent).values()]
    digests = {}
    for run in runs:
        for name in artifacts_of(client, run):
            file = Path(client.download_artifacts(run.info.run_id, name, str(folder)))
            digests[run.info.run_id, name] = hashlib.sha256(file.read_bytes()).hexdigest()
    version = client.get_model_version_by_alias(MODEL, "champion")
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    forecast = model.predict(pd.DataFrame({"n_ahead": [6]}))
    return {
        "runs": {run.info.run_id: run.to_dictionary() for run in runs},
        "digests": digests,
        "version": (version.version, version.run_id, version.source, version.tags),
        "forecast": forecast.to_csv(index=False),
    }


def dag_runs(stores: Stores) -> set[str]:
    address = stores.postgres.url("airflow").replace("+psycopg2", "")
    with psycopg2.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT run_id FROM dag_run")
        found = {row[0] for row in cursor.fetchall()}
    connection.close()
    return found


@pytest.fixture(scope="module")
def backed_up(
    stack: Stack, api: AirflowApi, triggered: Triggered, two_stations: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, Any], set[str]]]:
    """A backup made while a DAG run goes on, the state that it must hold, and the DAG runs."""
    folder = tmp_path_factory.mktemp("backup")
    with pytest.MonkeyPatch.context() as patch:
        client = use(stack.stores, patch)
        child = children_of(client, parent_of(client, triggered.run_id))["Belém"]
        client.create_registered_model(MODEL)
        source = f"{child.info.artifact_uri}/model"
        version = client.create_model_version(MODEL, source, child.info.run_id, tags={"cutoff": "2019-11-01"})
        client.set_registered_model_alias(MODEL, "champion", version.version)
        before = state(client, triggered.run_id, folder)
        api.trigger(DAG, "meanwhile", {"stations": str(two_stations), "cutoff": "2018-01-01", "audit_series": 0})
        known = dag_runs(stack.stores)
        backup(place_of_stores(stack.stores), folder / "backup.tar")
        assert api.dag_run(DAG, "meanwhile")["state"] in ("queued", "running"), "it went on while the backup was made"
        assert api.wait(DAG, "meanwhile", within=WITHIN) == "success"
        mlflow.set_tracking_uri(None)
    yield folder / "backup.tar", before, known


def test_restored_into_an_empty_stack_everything_is_what_it_was(
    backed_up: tuple[Path, dict[str, Any], set[str]],
    stack: Stack,
    triggered: Triggered,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    file, before, known = backed_up
    with folder_for_postgres() as folder, started_stores(folder) as other:
        place = place_of_stores(other)
        # The key of the stack that made it goes to the new machine with the other secrets.
        archive = Archive.verified(file, stack.stores.secrets.backup_signing)
        restore(place, archive)
        client = use(other, monkeypatch)
        assert state(client, triggered.run_id, tmp_path) == before
        assert known <= dag_runs(other)
        # A stack with runs in it is not replaced by mistake; by force it is, to the same.
        with pytest.raises(click.ClickException, match=r"not empty \(\d+ MLflow runs.*FORCE=1"):
            restore(place, archive)
        client.delete_registered_model(MODEL)
        restore(place, archive, force=True)
        assert state(client, triggered.run_id, tmp_path) == before
        mlflow.set_tracking_uri(None)


def test_the_archive_is_for_its_owner_and_holds_no_secret(
    backed_up: tuple[Path, dict[str, Any], set[str]], stack: Stack
):
    file = backed_up[0]
    assert file.stat().st_mode & 0o777 == 0o600
    content = file.read_bytes()
    assert [name for name, value in stack.stores.secrets.values().items() if value.encode() in content] == []
    with tarfile.open(file) as tar:
        names = tar.getnames()
    assert names[:2] == ["databases/airflow", "databases/mlflow"]
    assert names[-2:] == [MANIFEST, SIGNATURE]
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []
