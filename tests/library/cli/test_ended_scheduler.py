"""What becomes of DAG runs whose scheduler has ended, in a database of Airflow's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.deployment import deployment_environment
from tests.fixtures.templates import EmptyStore, Migrate
from tracked_kedro.names import AIRFLOW_TAG, AIRFLOW_VARIABLE, DAG_ID_TAG, DAG_RUN_ID_TAG, END_REASON_TAG

# DAG runs as Airflow would have them, by id: state, who triggered, states of the tasks.
RUNS = {
    "at_work": ("running", None, ["success", "running", None]),
    "between": ("running", None, ["success", "scheduled"]),
    "asks": ("running", None, ["success", "awaiting_input", None]),
    "queued": ("queued", None, [None]),
    "of_make_retrain": ("running", "dag_test", ["running"]),
    "over": ("success", None, ["success"]),
}
SCRIPT = """
import json, sys
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import timezone
from airflow.utils.session import create_session
from sqlalchemy import insert, select
from uuid import uuid4

now = timezone.utcnow()
with create_session() as session:
    session.add(DagBundleModel(name="dags"))
    session.flush()
    session.add(DagModel(dag_id="rents", bundle_name="dags"))
    session.flush()
    version = DagVersion(dag_id="rents", version_number=1, bundle_name="dags")
    session.add(version)
    session.flush()
    for run_id, (state, user, tasks) in json.loads(sys.argv[1]).items():
        run = DagRun(dag_id="rents", run_id=run_id, run_type="manual", state=state, run_after=now, start_date=now,
                     triggering_user_name=user)
        session.add(run)
        session.flush()
        for number, task in enumerate(tasks):
            session.execute(insert(TaskInstance).values(
                id=uuid4(), dag_id="rents", run_id=run_id, task_id=f"task_{number}", map_index=-1, state=task,
                dag_version_id=version.id, pool="default_pool", pool_slots=1, queue="default", priority_weight=1,
                operator="x", try_number=1, max_tries=1, executor_config={}, custom_operator_name="x",
                unixname="me", hostname="",
            ))

from tracked_kedro.cli.ended_scheduler import end_its_runs
outcome = end_its_runs("its scheduler ended")
with create_session() as session:
    states = {run.run_id: str(run.state) for run in session.scalars(select(DagRun))}
    tasks = {}
    for task in session.scalars(select(TaskInstance).order_by(TaskInstance.task_id)):
        tasks.setdefault(task.run_id, []).append(task.state and str(task.state))
print(json.dumps([outcome.ended, outcome.waiting, states, tasks]))
"""


@pytest.mark.slow
def test_what_was_at_work_has_ended_with_its_parent_and_what_waits_for_a_person_has_not(
    tmp_path: Path, migrate: Migrate, empty_store: EmptyStore
):
    environment = {
        **os.environ,
        **deployment_environment(tmp_path / "var"),
        f"AIRFLOW_VAR_{AIRFLOW_VARIABLE.upper()}": "here",
        "KEDRO_PROJECT_PATH": str(tmp_path / "no project"),
    }
    empty_store(tmp_path / "var")
    migrate(environment)
    client = MlflowClient(environment["MLFLOW_TRACKING_URI"])
    experiment = client.create_experiment("rents")
    parents = {
        run_id: client.create_run(
            experiment, tags={AIRFLOW_TAG: "here", DAG_ID_TAG: "rents", DAG_RUN_ID_TAG: run_id}
        ).info.run_id
        for run_id in ("at_work", "asks", "of_make_retrain")
    }
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, json.dumps(RUNS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    ended, waiting, states, tasks = json.loads(done.stdout.splitlines()[-1])
    assert (ended, waiting) == (2, 2)
    assert states == {
        "at_work": "failed",
        "between": "failed",
        "asks": "running",
        "queued": "queued",
        "of_make_retrain": "running",
        "over": "success",
    }
    assert tasks["at_work"] == ["success", "failed", None]
    assert tasks["asks"] == ["success", "awaiting_input", None]
    found = {run_id: client.get_run(parent) for run_id, parent in parents.items()}
    assert {run_id: run.info.status for run_id, run in found.items()} == {
        "at_work": "KILLED",
        "asks": "RUNNING",
        "of_make_retrain": "RUNNING",
    }
    assert found["at_work"].data.tags[END_REASON_TAG] == "its scheduler ended"
