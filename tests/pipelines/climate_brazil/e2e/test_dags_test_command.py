"""The command `airflow dags test climate_brazil` itself, and what it leaves in MLflow."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import mlflow
import pandas as pd
import polars as pl
import pytest

from tests.fixtures.deployments import Deployment, Outcome
from tracked_kedro.promotion.registry import Registry

CONF = {"audit_series": 0, "cutoff": "2019-11-01", "n_ahead": 3, "draws": 200, "series_per_task": 2}
LABELS = {"belem": "Belém", "rio": "Rio de Janeiro", "vitoria": "Vitória"}


@pytest.fixture(scope="module")
def closed_port() -> Iterator[str]:
    """Address of a server that refuses connections: the port is bound and nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(scope="module")
def good(new_deployment: Callable[[], Deployment], stations: Path) -> tuple[Deployment, Outcome]:
    """A DAG run over three stations that succeeded, where a person should have been asked."""
    deployment = new_deployment()
    # Nobody names a month: it is the one after the newest observation.
    settings = {name: value for name, value in CONF.items() if name != "cutoff"}
    outcome = deployment.dags_test(stations=str(stations), promotion_mode="approve", **settings)
    assert outcome.code == 0, outcome.output[-4000:]
    return deployment, outcome


def parent_of(deployment: Deployment):
    (parent,) = deployment.parents()
    return parent


def test_one_parent_finished_and_named_after_its_month(good: tuple[Deployment, Outcome]):
    deployment, outcome = good
    parent = parent_of(deployment)
    assert parent.info.run_name == "climate_brazil 2019-10"
    assert parent.info.status == "FINISHED"
    assert set(outcome.run_ids) == {parent.info.run_id}


def test_the_parent_was_never_seen_but_running(good: tuple[Deployment, Outcome]):
    _, outcome = good
    assert {status for _, status in outcome.seen} == {"RUNNING"}
    assert outcome.seen[-1][0] - outcome.seen[0][0] > 3  # seconds of looking, over most of the tasks


def test_tags_of_the_parent(good: tuple[Deployment, Outcome], stations: Path):
    tags = parent_of(good[0]).data.tags
    expected = {
        "airflow.dag_id": "climate_brazil",
        "airflow.run_type": "manual",
        "pipeline_names": "climate_brazil",
        "env": "local",
        "kedro_command": "kedro run --pipelines=climate_brazil",
        "data_source": str(stations),
        "cutoff": "2019-11-01",
        "newest_observation": "2019-10-01",
        "model": "Bayesian structural time series",
        "trend_component": "linear + Gaussian process (Matérn)",
        "seasonal_component": "Fourier",
    }
    assert {key: tags.get(key) for key in expected} == expected
    assert tags["airflow.dag_run_id"].startswith("manual__")
    for key in ("airflow.data_interval_start", "airflow.data_interval_end", "kedro_version"):
        assert tags[key], key
    assert len(tags["git_commit"]) == 40
    assert tags["git_dirty"] in ("true", "false")
    assert "airflow.failed_tasks" not in tags
    # No server of Airflow's belongs to the command: a link would lead to whatever listens on its default port.
    assert "airflow.dag_run_url" not in tags


def test_parameters_of_the_parent_are_the_flat_configuration(good: tuple[Deployment, Outcome]):
    params = parent_of(good[0]).data.params
    expected = {
        "climate_brazil.n_ahead": "3",
        "climate_brazil.inference.draws": "200",
        "climate_brazil.inference.method": "marginal",
        "climate_brazil.cutoff": "2019-11-01",
        "climate_brazil.testing_window": "12",
        "climate_brazil.model.kernel": "matern32",
        "climate_brazil.model.harmonics": "6",
        "climate_brazil.contract.min_months": "24",
    }
    assert {key: params.get(key) for key in expected} == expected


def test_metrics_of_the_parent_are_pooled_scores_and_counts(good: tuple[Deployment, Outcome]):
    metrics = parent_of(good[0]).data.metrics
    counts = {name: metrics[name] for name in ("n_series", "n_finished", "n_failed", "n_quarantined", "n_scored")}
    assert counts == {"n_series": 3, "n_finished": 3, "n_failed": 0, "n_quarantined": 9, "n_scored": 36}
    for name in ("rmse", "mae", "crps", "coverage_80", "coverage_95", "skill_vs_seasonal_naive"):
        assert name in metrics
    assert 0 < metrics["crps"] < metrics["mae"] <= metrics["rmse"]


def test_artifacts_of_the_parent(good: tuple[Deployment, Outcome]):
    deployment, _ = good
    parent = parent_of(deployment)
    found = deployment.artifacts(parent)
    assert found >= {
        "figures/timeseries.html",
        "report/report.html",
        "report/report.parquet",
        "report/quarantine.csv",
    }
    assert any(name.startswith("figures/") and "model_graph" in name for name in found)
    local = mlflow.artifacts.download_artifacts(
        run_id=parent.info.run_id, artifact_path="report", tracking_uri=deployment.environment["MLFLOW_TRACKING_URI"]
    )
    table = pl.read_parquet(Path(local) / "report.parquet")
    assert table["label"].to_list() == list(LABELS.values())
    assert table["status"].unique().to_list() == ["finished"]
    # Nine of the twelve configured stations have no file here.
    assert pl.read_csv(Path(local) / "quarantine.csv").height == 9


def test_the_training_table_is_an_input_with_its_digest(good: tuple[Deployment, Outcome]):
    (found,) = parent_of(good[0]).inputs.dataset_inputs
    assert found.dataset.name == "climate_brazil"
    assert found.dataset.digest
    assert [tag.value for tag in found.tags] == ["training"]


def test_one_finished_child_per_series(good: tuple[Deployment, Outcome]):
    deployment, _ = good
    children = deployment.children(parent_of(deployment))
    assert {series: run.info.run_name for series, run in children.items()} == LABELS
    assert {run.info.status for run in children.values()} == {"FINISHED"}


@pytest.mark.parametrize("series", LABELS)
def test_what_a_child_holds(good: tuple[Deployment, Outcome], series: str):
    deployment, _ = good
    child = deployment.children(parent_of(deployment))[series]
    params, metrics = child.data.params, child.data.metrics
    assert params["series"] == series
    assert params["training_end"] == "2019-10"
    assert params["model_type"] == "bayesian_structural_time_series"
    assert len(params["model_id"]) == 12
    assert 20 < float(params["y_mean"]) < 30
    assert float(params["y_std"]) > 0
    for name in ("rmse", "mae", "crps", "coverage_80", "coverage_95", "skill_vs_seasonal_naive", "ess", "seconds"):
        assert name in metrics
    assert {"k_hat", "divergences"} & set(metrics)
    assert child.data.tags["fingerprint"]
    found = deployment.artifacts(child)
    assert found >= {"figures/forecast.svg", "posterior.nc", "model/MLmodel", "model/requirements.txt"}
    assert any(name.startswith("figures/model_graph.") for name in found)
    assert not [name for name in found if name.endswith(".pkl")]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_the_model_of_a_child_forecasts(good: tuple[Deployment, Outcome], monkeypatch: pytest.MonkeyPatch):
    deployment, _ = good
    child = deployment.children(parent_of(deployment))["belem"]
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    mlflow.set_tracking_uri(deployment.environment["MLFLOW_TRACKING_URI"])
    try:
        model = mlflow.pyfunc.load_model(f"runs:/{child.info.run_id}/model")
        forecast = model.predict(pd.DataFrame({"n_ahead": [3]}))
    finally:
        mlflow.set_tracking_uri(None)
    assert [str(day)[:7] for day in forecast["date"]] == ["2019-11", "2019-12", "2020-01"]
    assert forecast["mean"].between(20, 35).all()
    assert (forecast["q10"] < forecast["q90"]).all()
    (column,) = model.metadata.get_input_schema().inputs
    assert (column.name, column.type.name) == ("n_ahead", "long")


def test_mapped_tasks_are_named_by_their_series(good: tuple[Deployment, Outcome]):
    deployment, _ = good
    with sqlite3.connect(deployment.var / "airflow" / "airflow.db") as database:
        query = "select rendered_map_index from task_instance where task_id = 'series' order by map_index"
        assert database.execute(query).fetchall() == [("belem, rio",), ("vitoria",)]


def test_where_nobody_can_be_asked_nothing_is_promoted(good: tuple[Deployment, Outcome]):
    deployment, outcome = good
    assert "Not promoted: `airflow dags test` has nobody who could approve" in outcome.output
    assert Registry("climate-brazil", deployment.client).aliases() == {"challenger": 1}
    parent = parent_of(deployment)
    assert parent.data.tags["promotion"] == "not promoted: `airflow dags test` has nobody who could approve"
    # The rules would have let it through.
    decision = Path(deployment.client.download_artifacts(parent.info.run_id, "promotion/decision.json"))
    assert json.loads(decision.read_text())["promote"] is True
    with sqlite3.connect(deployment.var / "airflow" / "airflow.db") as database:
        query = "select task_id, state from task_instance where task_id in ('approve', 'promote', 'close_run')"
        states = dict(database.execute(query).fetchall())
    assert states == {"approve": "skipped", "promote": "skipped", "close_run": "success"}


def test_a_failing_series_fails_the_run_and_not_its_neighbours(
    new_deployment: Callable[[], Deployment], stations: Path, tmp_path: Path
):
    folder = tmp_path / "stations"
    shutil.copytree(stations, folder)
    make_constant(folder / "station_vitoria.csv")
    deployment = new_deployment()
    outcome = deployment.dags_test(stations=str(folder), **CONF)
    assert outcome.code == 1
    parent = parent_of(deployment)
    assert parent.info.status == "FAILED"
    assert {status for _, status in outcome.seen} == {"RUNNING"}
    assert parent.data.tags["airflow.failed_tasks"] == "series_1"
    children = deployment.children(parent)
    assert {series: run.info.status for series, run in children.items()} == {
        "belem": "FINISHED",
        "rio": "FINISHED",
        "vitoria": "FAILED",
    }
    assert "every observed month is 25" in children["vitoria"].data.tags["failure"]
    # It was tried three times, in one child run.
    assert outcome.output.count("starting task_id=series map_index=1") == 3
    assert outcome.output.count("starting task_id=series map_index=0") == 1
    text = mlflow.artifacts.load_text(f"{parent.info.artifact_uri}/report/summary.txt")
    assert "failed: Vitória" in text
    assert parent.data.metrics["n_failed"] == 1


def make_constant(path: Path) -> None:
    """A stuck sensor: passes the contract, and no model can be fitted to it."""
    header, *rows = (line.split(",") for line in path.read_text().splitlines())
    stuck = [[year, *("25.00" if cell != "999.90" else cell for cell in cells)] for year, *cells in rows]
    path.write_text("".join(",".join(line) + "\n" for line in [header, *stuck]))


@pytest.mark.full
def test_an_empty_folder_fails_at_once(new_deployment: Callable[[], Deployment], tmp_path: Path):
    (tmp_path / "empty").mkdir()
    deployment = new_deployment()
    outcome = deployment.dags_test(stations=str(tmp_path / "empty"), **CONF)
    assert outcome.code == 1
    assert "no station files" in outcome.output
    assert outcome.output.count("starting task_id=process_datasets") == 1  # bad data is not tried again
    parent = parent_of(deployment)
    assert parent.info.status == "FAILED"
    assert "process_datasets" in parent.data.tags["airflow.failed_tasks"]
    assert deployment.children(parent) == {}


@pytest.mark.full
def test_use_mlflow_false_makes_not_one_tracking_call(
    new_deployment: Callable[[], Deployment], stations: Path, closed_port: str
):
    deployment = new_deployment()
    outcome = deployment.dags_test(
        stations=str(stations),
        series=["belem"],
        use_mlflow=False,
        environment={"MLFLOW_TRACKING_URI": closed_port},
        **CONF,
    )
    assert outcome.code == 0, outcome.output[-4000:]
    assert closed_port not in outcome.output
    assert outcome.run_ids == []
    assert deployment.parents() == []
    assert list((deployment.var / "data" / "climate_brazil").glob("*/report.parquet"))


@pytest.mark.full
def test_a_dead_tracking_server_is_named_within_a_minute(
    new_deployment: Callable[[], Deployment], stations: Path, closed_port: str
):
    outcome = new_deployment().dags_test(
        stations=str(stations), environment={"MLFLOW_TRACKING_URI": closed_port}, **CONF
    )
    assert outcome.code == 1
    assert closed_port in outcome.output
    # Of the task alone: how fast the command itself starts is a matter of the machine.
    stamps = re.findall(r"^(\S+)Z .*\[DAG TEST\] (?:starting|end task) task_id=open_run", outcome.output, re.M)
    begin, end = (datetime.fromisoformat(stamp) for stamp in stamps)
    assert (end - begin).total_seconds() < 60
    assert "Is the tracking server or object store up?" in outcome.output
    assert outcome.output.count("starting task_id=open_run") == 1


def test_unknown_keys_in_conf_fail_at_once(new_deployment: Callable[[], Deployment], stations: Path):
    deployment = new_deployment()
    outcome = deployment.dags_test(stations=str(stations), n_ahed=6)
    assert outcome.code == 1
    assert (
        "Unknown parameters ['n_ahed']; this DAG takes ['audit_series', 'cutoff', 'draws', 'method', 'n_ahead'"
        in outcome.output
    )
    assert outcome.output.count("starting task_id=open_run") == 1
    assert deployment.parents() == []
