import time
from datetime import datetime

import click
import mlflow
import pytest
from mlflow.tracking import MlflowClient

from operations.in_container import prune

MODEL = "rents"


@pytest.fixture
def months(store: MlflowClient, var, tmp_path, monkeypatch):
    """Five parent runs, the oldest first, each with a child, an artifact, a version, data and a task log."""
    monkeypatch.setenv("RETRAINING_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    experiment = store.create_experiment("rents", artifact_location=(var / "artifacts").as_uri())
    store.create_registered_model(MODEL)
    made = []
    for month in range(1, 6):
        dag_run = f"scheduled__2019-{month:02}-03T06:00:00+00:00"
        tags = {"airflow.dag_id": "rents", "airflow.dag_run_id": dag_run}
        with mlflow.start_run(experiment_id=experiment, run_name=f"rents 2019-{month:02}", tags=tags) as run:
            mlflow.log_text("x" * 100, "report.html")
            with mlflow.start_run(experiment_id=experiment, nested=True):
                mlflow.log_text("y" * 10, "plots/forecast.html")
        source = f"{run.info.artifact_uri}/model"
        store.create_model_version(MODEL, source, run.info.run_id, tags={"parent_run_id": run.info.run_id})
        for place in (
            tmp_path / "data" / "rents" / f"scheduled__2019-{month:02}-03T06_00_00_00_00",
            tmp_path / "logs" / "dag_id=rents" / f"run_id={dag_run}",
        ):
            place.mkdir(parents=True)
            (place / "file").write_text("z" * 1000)
        made.append(run.info.run_id)
        time.sleep(0.002)  # runs are ordered by their milliseconds
    store.set_registered_model_alias(MODEL, "champion", "1")
    store.set_registered_model_alias(MODEL, "previous", "2")
    return made


def look(store, tmp_path, keep=2):
    return prune.plan(store, keep, str(tmp_path / "logs"))


def test_of_the_old_runs_those_of_champion_and_previous_stay(store, months, tmp_path):
    found = look(store, tmp_path)
    assert [run.info.run_id for run in found.parents] == [months[2]]
    assert len(found.children) == 1
    assert [(model, int(version)) for model, version in found.versions] == [(MODEL, 3)]
    assert {address.rpartition("2019-")[2][:2] for address in found.folders} == {"03"}
    assert found.total_bytes == 100 + 10 + 1000 + 1000
    oldest = store.get_run(months[0]).info.start_time
    assert found.oldest_kept.timestamp() * 1000 == oldest


def test_looking_removes_nothing_and_removing_takes_all_of_it(store, months, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER", str(tmp_path / "logs"))
    prune.run(keep=2, really=False)
    printed = capsys.readouterr().out
    assert "1 parent runs, 1 child runs, 1 model versions, 2 folders of data and logs; 2,110 bytes" in printed
    assert store.get_run(months[2]).info.lifecycle_stage == "active"
    assert len(list(tmp_path.glob("data/rents/*"))) == 5

    prune.run(keep=2, really=True)
    last = capsys.readouterr().out.splitlines()[-1]
    # The DAG run of the oldest run that stays began before that did.
    before = datetime.fromisoformat(last.partition("before=")[2].partition(" ")[0])
    assert before.timestamp() == store.get_run(months[0]).info.start_time / 1000 - 24 * 60 * 60
    assert months[2] in last
    assert [store.get_run(run).info.lifecycle_stage for run in months] == ["active"] * 2 + ["deleted"] + ["active"] * 2
    assert {int(one.version) for one in store.search_model_versions(f"name = '{MODEL}'")} == {1, 2, 4, 5}
    assert len(list(tmp_path.glob("data/rents/*"))) == 4
    assert len(list(tmp_path.glob("logs/*/*"))) == 4

    assert look(store, tmp_path).parents == []
    # Until `mlflow gc` has run, the next call names it again; what a person has put aside is not touched.
    store.delete_run(months[3])
    prune.run(keep=2, really=True)
    last = capsys.readouterr().out.splitlines()[-1]
    assert months[2] in last
    assert months[3] not in last


def test_a_run_that_goes_on_stays(store, months, tmp_path):
    store.update_run(months[2], status="RUNNING")
    assert look(store, tmp_path).parents == []


def test_keeping_none_is_refused(store):
    with pytest.raises(click.ClickException, match="KEEP=0: at least 1 run"):
        prune.plan(store, 0)
