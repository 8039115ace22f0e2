"""Airflow's backfill of 24 months, three at once, twice: months end in any order, and the latest is champion."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from operations.native.airflow import DATABASE
from operations.native.errors import MissingPartError
from operations.native.stack import Stores, started_stores
from tests.deployment import deployment_environment
from tests.fixtures.real_airflow import Airflow
from tests.fixtures.rents import write_project
from tests.fixtures.stack import folder_for_postgres
from tracked_kedro.names import DAG_RUN_ID_TAG, INTERVAL_END_TAG, KEY_TAG
from tracked_kedro.promotion.champion import LEDGER_TAG
from tracked_kedro.promotion.ledger import Ledger
from tracked_kedro.promotion.registry import Registry

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]
MONTHS = 24
# The pipeline's nodes in few tasks, for 48 DAG runs; and one at a time, which a backfill takes no notice of.
DAG = """
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from tracked_kedro.dag import tasks

KEDRO = {"pipeline": "rents", "parameters": {"cutoff": "rents.cutoff", "newest": "rents.newest"}}

with DAG(
    "rents",
    schedule=CronDataIntervalTimetable("0 6 3 * *", timezone="UTC"),
    start_date=datetime(2022, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params={"cutoff": Param(None, type=["null", "string"]), "newest": Param("2030-01-01", type="string")},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=5), "retry_policy": tasks.RETRY_POLICY},
):
    open_run = tasks.open_run(**KEDRO)
    nodes = ["read", "flats.fit", "assess", "register", "decide"]
    decide = tasks.RunNodes(task_id="decide", nodes=nodes, xcom="rents_decision", **KEDRO)
    approve = tasks.approve(hours=1, doc_md="")
    promote = tasks.RunNodes(task_id="promote", nodes=["promote"], approved_by="approve", **KEDRO)
    close_run = tasks.close_run.override(trigger_rule="all_done")()
    open_run >> decide >> approve >> promote >> close_run
"""


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """Postgres, for `airflow backfill create` and the scheduler write at once, and a tracking server on it."""
    with folder_for_postgres() as folder:
        try:
            with started_stores(folder) as running:
                for name, value in running.mlflow.client_environment().items():
                    monkeypatch.setenv(name, value)
                mlflow.set_tracking_uri(running.mlflow.address)
                yield running
                mlflow.set_tracking_uri(None)
        except MissingPartError as error:
            pytest.skip(f"needs the native stack: {error}")


@pytest.fixture
def airflow(tmp_path: Path, stores: Stores) -> Airflow:
    project = write_project(tmp_path / "lettings")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "rents.py").write_text(DAG)
    environment = {
        **deployment_environment(tmp_path / "var"),
        **stores.mlflow.client_environment(),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": stores.postgres.url(DATABASE),
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        "KEDRO_PROJECT_PATH": str(project),
        "PYTHONPATH": str(project / "src"),
    }
    airflow = Airflow(tmp_path / "logs", environment)
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(command, env=airflow.settings, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return airflow


def test_months_that_end_in_any_order_leave_the_latest_champion_and_a_true_history(
    airflow: Airflow, stores: Stores, record_property: Callable[..., None]
) -> None:
    client = MlflowClient()
    registry = Registry("rents", client)
    airflow.start("api-server", "scheduler", "dag-processor")
    try:
        airflow.wait(lambda: airflow.has_dag("rents"), within=300)
        for behaviour in ("none", "completed"):
            done = backfilled(airflow, behaviour)
            assert done == {"success"}, airflow.log("scheduler")[-3000:]
    finally:
        airflow.stop(*list(airflow.processes))

    known = registry.known()
    assert known is not None
    page = Ledger(client, "rents", known.tags[LEDGER_TAG]).read()
    cutoffs = {int(version.version): version.tags["cutoff"] for version in registry.versions()}
    history = [cutoffs[move.version] for move in page.moves]
    for move in page.moves:
        replaced = cutoffs[move.replaced] if move.replaced else "none"
        print(f"| {move.at[:19]} | {replaced} | {cutoffs[move.version]} | {move.action} |")
    record_property("moves", len(history))
    assert history == sorted(set(history)), "no month replaces a later one"
    assert page.moves == tuple(registry.history())
    assert cutoffs[registry.aliases()["champion"]] == history[-1] == max(cutoffs.values()) == "2024-01-01"
    assert not page.is_cut

    experiment = client.get_experiment_by_name("rents")
    assert experiment is not None
    runs = list(client.search_runs([experiment.experiment_id], max_results=1000))
    parents = {run.data.tags[DAG_RUN_ID_TAG]: run for run in runs if DAG_RUN_ID_TAG in run.data.tags}
    assert len(parents) == len([run for run in runs if DAG_RUN_ID_TAG in run.data.tags]) == MONTHS
    for parent in parents.values():
        assert parent.info.status == "FINISHED"
        month = f"{parent.data.tags[INTERVAL_END_TAG][:7]}-01"
        assert parent.data.params["rents.cutoff"] == month, "each is about its own month"
        (version,) = registry.of_run(parent.info.run_id)
        assert version.tags["cutoff"] == month
        children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert sorted(run.data.tags[KEY_TAG] for run in children) == ["north", "south", "west"]


def backfilled(airflow: Airflow, behaviour: str) -> set[str]:
    """States of all DAG runs after a backfill of three months at once."""
    command = [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", "rents", "--max-active-runs", "3"]
    command += ["--from-date", "2022-01-03T06:00:00+00:00", "--to-date", "2023-12-03T06:00:00+00:00"]
    command += ["--reprocess-behavior", behaviour]

    def is_made() -> bool:
        done = subprocess.run(command, env=airflow.settings, capture_output=True, text=True)
        # The scheduler says some time after its last DAG run that the one before is over.
        assert done.returncode == 0 or "AlreadyRunningBackfill" in done.stderr, done.stderr[-2000:]
        return done.returncode == 0

    airflow.wait(is_made, within=300)

    def states() -> set[str] | None:
        found = airflow.call("GET", "dags/rents/dagRuns?limit=100")["dag_runs"]
        assert len(found) == MONTHS
        over = {run["state"] for run in found}
        return None if over & {"queued", "running"} else over

    return airflow.wait(states, within=3600)
