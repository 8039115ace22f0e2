"""`make prune` takes what is old and this deployment's, with all that belongs to it, and says why."""

import time
from datetime import datetime

import click
import mlflow
import pytest
from mlflow.tracking import MlflowClient

from operations.in_container import prune
from operations.in_container.airflow_runs import AirflowRuns
from operations.in_container.prune_plan import plan

MODEL = "rents"
HERE = "this-airflow"


def dag_run_of(month: int) -> str:
    return f"scheduled__2019-{month:02}-03T06:00:00+00:00"


AIRFLOW = AirflowRuns(HERE, {("rents", dag_run_of(month)): "success" for month in range(1, 6)})


@pytest.fixture
def months(store: MlflowClient, var, tmp_path, monkeypatch):
    """Five parent runs, the oldest first, each with a child, an artifact, a version, data and a task log."""
    monkeypatch.setenv("RETRAINING_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KEDRO_PROJECT_PATH", str(tmp_path / "no project"))
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    experiment = store.create_experiment("rents", artifact_location=(var / "artifacts").as_uri())
    store.create_registered_model(MODEL)
    made = []
    for month in range(1, 6):
        dag_run = dag_run_of(month)
        tags = {"airflow.dag_id": "rents", "airflow.dag_run_id": dag_run, "airflow.instance": HERE}
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


def look(store, tmp_path, keep=2, airflow=AIRFLOW):
    return plan(store, keep, airflow, str(tmp_path / "logs"))


def test_of_the_old_runs_those_of_champion_and_previous_stay(store, months, tmp_path):
    found = look(store, tmp_path)
    assert [run.info.run_id for run in found.parents] == [months[2]]
    assert {run.info.run_id: why for run, why in found.stay} == {
        months[0]: "rents version 1 (champion) came from it",
        months[1]: "rents version 2 (previous) came from it",
    }
    assert len(found.children) == 1
    assert [(model, int(version)) for model, version in found.versions] == [(MODEL, 3)]
    assert {folder.path.rpartition("2019-")[2][:2] for folder in found.folders} == {"03"}
    assert found.total_bytes == 100 + 10 + 1000 + 1000
    oldest = store.get_run(months[0]).info.start_time
    assert found.oldest_kept.timestamp() * 1000 == oldest


def test_looking_removes_nothing_and_removing_takes_all_of_it(store, months, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER", str(tmp_path / "logs"))
    monkeypatch.setattr(AirflowRuns, "of_database", lambda: AIRFLOW)
    prune.run(keep=2, really=False)
    printed = capsys.readouterr().out
    assert "1 parent runs, 1 child runs, 1 model versions, 2 folders of data and logs; 2,110 bytes" in printed
    why = f"DAG run {dag_run_of(3)} of rents, older than the newest 2; nothing uses it"
    assert f"rents 2019-03 ({months[2]}): {why}" in printed
    assert f"rents 2019-01 ({months[0]}) stays: rents version 1 (champion) came from it" in printed
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


def test_a_run_whose_child_or_dag_run_goes_on_stays(store, months, tmp_path):
    states = {**AIRFLOW.states, ("rents", dag_run_of(3)): "queued"}
    found = look(store, tmp_path, airflow=AirflowRuns(HERE, states))
    assert found.parents == []
    assert "its DAG run is queued or running" in {run.info.run_id: why for run, why in found.stay}[months[2]]
    (child,) = look(store, tmp_path).children
    store.update_run(child.info.run_id, status="RUNNING")
    assert look(store, tmp_path).parents == []


def test_a_dag_run_that_airflow_has_deleted_since_is_pruned(store, months, tmp_path):
    gone = AirflowRuns(HERE, dict.fromkeys(AIRFLOW.states))
    assert [run.info.run_id for run in look(store, tmp_path, airflow=gone).parents] == [months[2]]


def test_keeping_none_is_refused(store):
    with pytest.raises(click.ClickException, match="KEEP=0: at least 1 run"):
        plan(store, 0, AIRFLOW)
