"""The whole DAG on the stack of `make native`: real scheduler, Postgres, S3, and an MLflow server with login."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import pandas as pd
import polars as pl
import psycopg2
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from operations.native import airflow
from operations.native.api import AirflowApi
from operations.native.stack import Stack
from tests.deployment import ROOT
from tests.pipelines.climate_brazil.integration.dag_runs import (
    DAG,
    SERIES,
    WITHIN,
    Triggered,
    artifacts_of,
    children_of,
    parent_of,
)
from tracked_kedro.kedro_side.run_keys import run_key
from tracked_kedro.promotion.registry import Registry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]
MODEL = "climate-brazil"


def run_ids(api: AirflowApi) -> set[str]:
    return {run["dag_run_id"] for run in api.call("GET", f"/dags/{DAG}/dagRuns?limit=100")["dag_runs"]}


def test_a_dag_run_by_rest_finishes_and_its_values_arrive(triggered: Triggered, client: MlflowClient):
    assert triggered.state == "success", [(task["task_id"], task["state"]) for task in triggered.tasks]
    parent = parent_of(client, triggered.run_id)
    assert (parent.info.run_name, parent.info.status) == ("climate_brazil 2019-10", "FINISHED")
    assert parent.data.params["climate_brazil.n_ahead"] == "6"
    assert {key: parent.data.metrics[key] for key in ("n_finished", "n_failed")} == {"n_finished": 2, "n_failed": 0}
    assert parent.data.tags["env"] == "prod"
    children = children_of(client, parent)
    assert {name: child.info.status for name, child in children.items()} == dict.fromkeys(SERIES.values(), "FINISHED")
    # One task a series, as asked for, and each in the place where the scheduler is.
    assert sorted(task["map_index"] for task in triggered.tasks if task["task_id"] == "series") == [0, 1]


def test_the_parent_stays_open_until_it_is_closed(triggered: Triggered):
    assert len(triggered.seen) >= 10
    assert set(triggered.seen) == {"RUNNING"}


def test_every_artifact_is_readable_through_the_server(triggered: Triggered, client: MlflowClient, tmp_path: Path):
    parent = parent_of(client, triggered.run_id)
    for run in (parent, *children_of(client, parent).values()):
        assert run.info.artifact_uri.startswith("mlflow-artifacts:")
        names = list(artifacts_of(client, run))
        assert len(names) >= 6
        for name in names:
            local = client.download_artifacts(run.info.run_id, name, str(tmp_path))
            assert Path(local).stat().st_size > 0, name
    child = children_of(client, parent)["Belém"]
    model = mlflow.pyfunc.load_model(f"runs:/{child.info.run_id}/model")
    forecast = model.predict(pd.DataFrame({"n_ahead": [6]}))
    assert forecast["date"].astype(str).tolist()[0] == "2019-11-01"


def test_data_between_tasks_and_task_logs_lie_in_s3(triggered: Triggered, stack: Stack, two_stations: Path):
    client, bucket = stack.stores.data.client(), stack.stores.data.bucket
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    folder = f"runs/{DAG}/{run_key(triggered.run_id)}/"
    of_run = {key.removeprefix(folder) for key in keys if key.startswith(folder)}
    assert {"training_table.parquet", "posteriors/belem.nc", "posteriors/rio.nc", "raw_inputs.json"} <= of_run
    listed = client.get_object(Bucket=bucket, Key=f"{folder}raw_inputs.json")["Body"].read()
    for file, digest in json.loads(listed)["files"].items():
        kept = client.get_object(Bucket=bucket, Key=f"runs/raw_inputs/{digest}")["Body"].read()
        assert kept == (two_stations / file).read_bytes()
    logs = [key for key in keys if key.startswith("task-logs/") and f"run_id={triggered.run_id}/" in key]
    assert len(logs) == len(triggered.tasks)
    assert not (stack.stores.logs.parent / "var" / "data").exists(), "nothing is left on a worker"


def test_the_version_is_registered_judged_and_promoted_behind_the_login(
    triggered: Triggered, stack: Stack, client: MlflowClient, api: AirflowApi, monkeypatch: pytest.MonkeyPatch
):
    parent = parent_of(client, triggered.run_id)
    registry = Registry(MODEL, client)
    (version,) = registry.of_run(parent.info.run_id)
    expected = {"cutoff": "2019-11-01", "airflow.dag_run_id": triggered.run_id, "parent_run_id": parent.info.run_id}
    assert expected.items() <= version.tags.items()
    assert parent.data.tags["promotion"] == "promoted: all 7 rules that apply are met"
    (move,) = [event for event in registry.history() if event.version == int(version.version)]
    assert (move.replaced, move.action) == (None, "promoted")
    assert triggered.run_id in move.by
    served = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version.version}")
    assert len(served.predict([{"series": "rio", "n_ahead": 6}])) == 6
    events = api.call("GET", "/assets/events")["asset_events"]
    assert f"models/{MODEL}" in {event["name"] for event in events}
    # What a person who approves would see comes from that server too, and not without Airflow's login.
    picture = f"{stack.airflow.address}/to-mlflow/picture/{parent.info.run_id}/figures/beside_champion/forecasts.png"
    with urllib.request.urlopen(urllib.request.Request(picture, headers=api.authorization), timeout=30) as answer:
        assert answer.read().startswith(b"\x89PNG")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(picture, timeout=30)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(MlflowException, match=r"401|not authenticated"):
        registry.aliases()


def test_a_value_that_the_form_would_refuse_is_refused_here_too(api: AirflowApi, stack: Stack):
    with pytest.raises(urllib.error.HTTPError, match=r"400|422"):
        api.trigger(DAG, "refused", {"n_ahead": 0})


def test_without_login_or_with_a_wrong_password_airflow_answers_nothing(stack: Stack, api: AirflowApi):
    with pytest.raises(urllib.error.HTTPError, match="401"):
        AirflowApi(stack.airflow.address, airflow.USER, "admin").call("GET", "/dags")
    with pytest.raises(urllib.error.HTTPError, match=r"401|403"):
        urllib.request.urlopen(f"{stack.airflow.address}/api/v2/dags", timeout=10)
    # Who is logged in sees no configuration either.
    with pytest.raises(urllib.error.HTTPError, match="403"):
        api.call("GET", "/config")


def test_no_secret_is_in_a_log_in_xcom_in_parameters_or_in_what_airflow_shows(
    triggered: Triggered, stack: Stack, client: MlflowClient, api: AirflowApi
):
    places = {str(file): file.read_text(errors="replace") for file in stack.stores.logs.iterdir()}
    for folder in (stack.airflow.home, stack.stores.data.folder):
        places |= {str(file): file.read_text(errors="replace") for file in folder.rglob("*.log")}
    assert [name for name in places if "attempt=1.log" in name], "logs of tasks are among them"
    parent = parent_of(client, triggered.run_id)
    for run in (parent, *children_of(client, parent).values()):
        places[run.info.run_id] = json.dumps(run.to_dictionary())
    address = stack.stores.postgres.url("airflow").replace("+psycopg2", "")
    tables = ("xcom", "rendered_task_instance_fields", "dag_run", "log", "serialized_dag", "variable", "job")
    with psycopg2.connect(address) as connection, connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            places[table] = repr(cursor.fetchall())
    connection.close()
    assert triggered.run_id in places["rendered_task_instance_fields"]
    assert parent.info.run_id in places["xcom"]
    places["tasks"] = json.dumps(api.tasks(DAG, triggered.run_id))
    for name, value in stack.stores.secrets.values().items():
        found = [place for place, text in places.items() if value in text]
        assert found == [], f"{name} is in {found}"


@pytest.mark.full
def test_a_backfill_of_three_months_knows_in_each_nothing_of_its_future(
    stack: Stack, api: AirflowApi, client: MlflowClient, two_stations: Path
):
    conf = {"stations": str(two_stations), "series": ["belem"], "n_ahead": 3, "draws": 200, "audit_series": 0}
    command = [
        sys.executable,
        "-m",
        "airflow",
        "backfill",
        "create",
        "--dag-id",
        DAG,
        "--dag-run-conf",
        json.dumps(conf),
    ]
    # Intervals that begin on the third of each month and end on the third of the next.
    command += ["--from-date", "2019-02-01", "--to-date", "2019-04-30"]
    done = subprocess.run(command, env=dict(stack.environment), cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    api.call("PATCH", f"/dags/{DAG}", {"is_paused": False})
    listed = api.call("GET", f"/dags/{DAG}/dagRuns?run_type=backfill&limit=10")["dag_runs"]
    assert len(listed) == 3
    for dag_run in listed:
        assert api.wait(DAG, dag_run["dag_run_id"], within=2 * WITHIN) == "success"
    months = {}
    for dag_run in listed:
        parent = parent_of(client, dag_run["dag_run_id"])
        (child,) = children_of(client, parent).values()
        cutoff = parent.data.tags["cutoff"]
        assert cutoff == dag_run["data_interval_end"][:7] + "-01"
        history = pl.read_parquet(client.download_artifacts(child.info.run_id, "series.parquet"))
        assert str(history["date"].max()) < cutoff
        months[parent.info.run_name] = (cutoff, parent.data.tags["newest_observation"])
    assert len({newest for _, newest in months.values()}) == 3
    assert all(newest < cutoff for cutoff, newest in months.values())


@pytest.mark.full
def test_the_trigger_form_in_a_browser_starts_a_run_with_its_values(
    stack: Stack, api: AirflowApi, client: MlflowClient, two_stations: Path, browser
):
    from tests.pipelines.climate_brazil.browser.test_ui import trigger

    api.call("PATCH", f"/dags/{DAG}", {"is_paused": False})
    before = run_ids(api)
    page = browser.new_page(viewport={"width": 1440, "height": 1500})
    page.set_default_timeout(30_000)
    page.goto(f"{stack.airflow.address}/dags/{DAG}")
    page.locator("input[name=username]").fill(airflow.USER)
    page.locator("input[name=password]").fill(stack.stores.secrets.airflow_admin)
    page.locator("input[type=submit]").click()
    page.wait_for_url(f"**/dags/{DAG}**")
    trigger(page, series=["Rio de Janeiro"], months_ahead=5, cutoff="2018-11-01", stations=two_stations)
    deadline = time.monotonic() + 30
    while not (made := run_ids(api) - before):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    (run_id,) = made
    assert api.wait(DAG, run_id, within=WITHIN) == "success"
    parent = parent_of(client, run_id)
    assert parent.data.params["climate_brazil.n_ahead"] == "5"
    assert parent.data.tags["cutoff"] == "2018-11-01"
    assert set(children_of(client, parent)) == {"Rio de Janeiro"}
