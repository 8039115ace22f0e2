"""A DAG run that is cleared and run again: the bridge's functions and real Kedro sessions on a real store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pytest
from mlflow.entities import Run, ViewType
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tests.deployment import deployment_environment
from tests.fixtures.templates import EmptyStore
from tracked_kedro.kedro_side.locations import data_root
from tracked_kedro.kedro_side.sessions import Session, nested
from tracked_kedro.parent_run import runs

# Libraries among themselves, at import and at their first use in this process.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

SERIES = ("belem", "rio")
RUN_LEVEL = ["refresh", "process_datasets", "describe_run", "model_graph", "train_test_split", "learn_fleet"]


@dataclass
class Retraining:
    """DAG runs of one deployment, without Airflow around them."""

    stations: Path

    def run(self, dag_run: str = "manual__1", series: tuple[str, ...] = SERIES, **changed: Any) -> str:
        """All tasks of a DAG run, the mapped one in two shards; returns the parent's id."""
        client = MlflowClient()
        experiment = client.get_experiment_by_name("climate_brazil")
        experiment_id = experiment.experiment_id if experiment else client.create_experiment("climate_brazil")
        parent = runs.open_parent(experiment_id, "climate_brazil", dag_run, "climate_brazil 2019-10", {})
        values = {"stations": str(self.stations), "cutoff": "2019-11-01", "n_ahead": 3, "inference.draws": 100}
        parameters = nested({f"climate_brazil.{key}": value for key, value in (values | changed).items()})
        session = Session("climate_brazil", {**parameters, "run_key": dag_run})
        runs.in_parent(parent, lambda: session.run(nodes=RUN_LEVEL))
        for one in series:
            shard = Session("climate_brazil", {**parameters, "run_key": dag_run, "shard": [one]})
            runs.in_parent(parent, lambda shard=shard: shard.run(namespace="series"))
        runs.in_parent(parent, lambda: session.run(nodes=["monitor", "compare", "report"]))
        runs.close_parent(parent)
        return parent

    def children(self, parent: str, view: ViewType = ViewType.ACTIVE_ONLY) -> list[Run]:
        client = MlflowClient()
        query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent}'"
        return list(client.search_runs([client.get_run(parent).info.experiment_id], query, view))

    def by_series(self, parent: str) -> dict[str, tuple[str, str, int]]:
        """Id, status and end of the one child of each series."""
        found = self.children(parent)
        facts = {run.data.tags["series"]: (run.info.run_id, run.info.status, run.info.end_time) for run in found}
        assert len(facts) == len(found), "a series has two child runs"
        return facts

    def parents(self) -> list[Run]:
        experiment = MlflowClient().get_experiment_by_name("climate_brazil")
        everything = MlflowClient().search_runs([experiment.experiment_id])
        return [run for run in everything if MLFLOW_PARENT_RUN_ID not in run.data.tags]


def use(var: Path, patch: pytest.MonkeyPatch) -> None:
    for name, value in deployment_environment(var).items():
        patch.setenv(name, value)
    mlflow.set_tracking_uri(f"sqlite:///{var}/mlflow/mlflow.db")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, empty_store: EmptyStore) -> tuple[Path, Retraining]:
    """A deployment with one finished DAG run."""
    from retraining.pipelines.climate_brazil.stations.sample import station_text

    folder = tmp_path_factory.mktemp("finished")
    empty_store(folder / "var")
    (folder / "stations").mkdir()
    for series in SERIES:
        (folder / "stations" / f"station_{series}.csv").write_text(station_text(series))
    retraining = Retraining(folder / "stations")
    with pytest.MonkeyPatch.context() as patch:
        use(folder / "var", patch)
        retraining.run()
        mlflow.set_tracking_uri(None)
    return folder / "var", retraining


@pytest.fixture
def retraining(
    finished: tuple[Path, Retraining], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Retraining]:
    """A copy of that deployment, for one test."""
    var, retraining = finished
    shutil.copytree(var, tmp_path / "var")
    use(tmp_path / "var", monkeypatch)
    yield retraining
    mlflow.set_tracking_uri(None)


def test_cleared_and_run_again_nothing_is_done_twice(retraining: Retraining):
    (parent,) = retraining.parents()
    before = retraining.by_series(parent.info.run_id)
    assert {series: facts[1] for series, facts in before.items()} == {"belem": "FINISHED", "rio": "FINISHED"}
    assert retraining.run() == parent.info.run_id
    assert len(retraining.parents()) == 1
    # The same ids, ended at the same time: they were not opened again.
    assert retraining.by_series(parent.info.run_id) == before
    assert retraining.parents()[0].info.status == "FINISHED"


def test_a_retry_does_only_what_is_not_done(retraining: Retraining):
    """As after a task that was killed: one child is open and has no end."""
    (parent,) = retraining.parents()
    before = retraining.by_series(parent.info.run_id)
    killed = before["belem"][0]
    MlflowClient().update_run(killed, status="RUNNING")
    retraining.run()
    after = retraining.by_series(parent.info.run_id)
    assert after["rio"] == before["rio"]
    assert after["belem"][:2] == (killed, "FINISHED")
    assert after["belem"][2] > before["belem"][2]


def test_a_retry_that_succeeds_takes_the_reason_of_the_failure_away(retraining: Retraining):
    (parent,) = retraining.parents()
    failed = retraining.by_series(parent.info.run_id)["belem"][0]
    client = MlflowClient()
    client.set_tag(failed, "failure", "train: a machine ran out of memory")
    client.update_run(failed, status="FAILED")
    retraining.run()
    now = client.get_run(failed)
    assert now.info.status == "FINISHED"
    assert "failure" not in now.data.tags


def test_changed_parameters_make_the_children_anew(retraining: Retraining):
    (parent,) = retraining.parents()
    before = retraining.by_series(parent.info.run_id)
    assert retraining.run(n_ahead=6) == parent.info.run_id
    after = retraining.by_series(parent.info.run_id)
    assert not {facts[0] for facts in before.values()} & {facts[0] for facts in after.values()}
    assert {facts[1] for facts in after.values()} == {"FINISHED"}
    deleted = {run.info.run_id for run in retraining.children(parent.info.run_id, ViewType.DELETED_ONLY)}
    assert deleted == {facts[0] for facts in before.values()}
    # MLflow parameters are written once: the change is told in a tag, and fails nothing.
    now = MlflowClient().get_run(parent.info.run_id)
    assert now.info.status == "FINISHED"
    assert now.data.params["climate_brazil.n_ahead"] == "3"
    assert now.data.tags["changed_parameter.climate_brazil.n_ahead"] == "6"


def test_changed_code_makes_the_children_anew(retraining: Retraining, monkeypatch: pytest.MonkeyPatch):
    (parent,) = retraining.parents()
    before = retraining.by_series(parent.info.run_id)
    monkeypatch.setattr("retraining.pipelines.climate_brazil.series.nodes.code_version", lambda package: "another")
    retraining.run(series=("belem",))
    after = retraining.by_series(parent.info.run_id)
    assert after["belem"][0] != before["belem"][0]
    assert after["rio"] == before["rio"]


def test_changed_data_makes_only_its_own_child_anew(
    retraining: Retraining, tmp_path: Path, write_station: Callable[..., Path]
):
    (parent,) = retraining.parents()
    before = retraining.by_series(parent.info.run_id)
    folder = write_station(*SERIES, folder=tmp_path / "corrected")
    header, *rows = (folder / "station_rio.csv").read_text().splitlines()
    cells = rows[-1].split(",")
    cells[1] = "27.77"  # January of the last year
    (folder / "station_rio.csv").write_text("\n".join([header, *rows[:-1], ",".join(cells)]) + "\n")
    retraining.run(stations=str(folder))
    after = retraining.by_series(parent.info.run_id)
    assert after["belem"] == before["belem"]
    assert after["rio"][0] != before["rio"][0]


def test_a_series_that_is_gone_when_the_run_is_cleared_is_counted_nowhere(
    retraining: Retraining, tmp_path: Path, write_station: Callable[..., Path]
):
    """Its file was taken away: children, counts, artifacts and evidence are about the series that are left."""
    (parent,) = retraining.parents()
    before = retraining.by_series(parent.info.run_id)
    folder = write_station("belem", folder=tmp_path / "fewer")
    retraining.run(stations=str(folder), series=("belem",))
    after = retraining.by_series(parent.info.run_id)
    assert after == {"belem": before["belem"]}
    # It is not lost: who looks for it finds it among the deleted ones.
    assert [run.info.run_id for run in retraining.children(parent.info.run_id, ViewType.DELETED_ONLY)] == [
        before["rio"][0]
    ]
    now = MlflowClient().get_run(parent.info.run_id)
    assert {name: now.data.metrics[name] for name in ("n_series", "n_finished", "n_failed")} == {
        "n_series": 1,
        "n_finished": 1,
        "n_failed": 0,
    }
    assert now.data.metrics["series_done"] == 1
    assert series_in(parent.info.run_id, "forecasts/forecasts.parquet") == {"belem"}
    assert series_in(parent.info.run_id, "report/report.parquet") == {"belem"}
    [file] = Path(data_root()).glob("climate_brazil/manual__1/**/evidence.json")
    evidence = json.loads(file.read_text())
    assert evidence["members"] == ["belem"]


def test_a_series_that_comes_back_is_made_again(
    retraining: Retraining, tmp_path: Path, write_station: Callable[..., Path]
):
    (parent,) = retraining.parents()
    retraining.run(stations=str(write_station("belem", folder=tmp_path / "fewer")), series=("belem",))
    retraining.run()
    after = retraining.by_series(parent.info.run_id)
    assert {series: facts[1] for series, facts in after.items()} == {"belem": "FINISHED", "rio": "FINISHED"}
    assert MlflowClient().get_run(parent.info.run_id).data.metrics["series_done"] == 2


def fetched(run_id: str, path: str) -> str:
    return mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)


def series_in(run_id: str, path: str) -> set[str]:
    return set(pl.read_parquet(fetched(run_id, path))["series"])


def test_another_dag_run_of_the_month_is_another_parent(retraining: Retraining):
    (first,) = retraining.parents()
    before = retraining.by_series(first.info.run_id)
    second = retraining.run("manual__2", series=("belem",))
    assert second != first.info.run_id
    assert len(retraining.parents()) == 2
    assert retraining.by_series(first.info.run_id) == before
    assert set(retraining.by_series(second)) == {"belem"}
