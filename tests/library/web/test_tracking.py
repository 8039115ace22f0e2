"""Single runs, their files and versions, on a real store."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from tests.fixtures.rents import Rents
from tracked_kedro import paging
from tracked_kedro.web import tracking
from tracked_kedro.web.tracking import NotStoredError, Tracking, UnreadableError


@pytest.fixture
def experiment(store: MlflowClient, var: Path) -> str:
    return store.create_experiment("rents", artifact_location=(var / "artifacts").as_uri())


def child_of(store: MlflowClient, parent, **tags: str) -> str:
    tags = {"mlflow.parentRunId": parent.info.run_id, **tags}
    return store.create_run(parent.info.experiment_id, tags=tags).info.run_id


def test_a_series_beyond_the_first_page_is_found(store: MlflowClient, experiment: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paging, "PAGE", 3)
    parent, other = store.create_run(experiment), store.create_run(experiment)
    children = {f"city {number}": child_of(store, parent, series=f"city {number}") for number in range(8)}
    child_of(store, other, series="city 0")
    child_of(store, parent)
    server = Tracking()
    for wanted in ({"city 0"}, {"city 7"}, {"city 0", "city 3", "city 7"}):
        assert set(server.children_of(parent, wanted)) == {children[name] for name in wanted}
    assert server.children_of(parent, {"nowhere"}) == []


def test_a_parent_with_too_many_children_is_not_searched_for_ever(
    store: MlflowClient, experiment: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(paging, "PAGE", 2)
    monkeypatch.setattr(tracking, "_MOST_CHILDREN", 5)
    parent = store.create_run(experiment)
    for number in range(8):
        child_of(store, parent, series=f"city {number}")
    asked: list[str] = []
    found = Tracking()
    search = found.client.search_runs
    monkeypatch.setattr(
        found.client, "search_runs", lambda *given, **more: asked.append("page") or search(*given, **more)
    )
    assert found.children_of(parent, {"nowhere"}) == []
    assert len(asked) == 3


def test_the_newest_of_two_children_of_a_series(store: MlflowClient, experiment: str):
    parent = store.create_run(experiment)
    runs = [
        store.create_run(experiment, start_time=time, tags={"mlflow.parentRunId": parent.info.run_id, "series": "a"})
        for time in (2000, 1000)
    ]
    assert Tracking().children_of(parent, {"a"}) == [runs[0].info.run_id]


def test_what_is_not_there_is_named(store: MlflowClient, experiment: str):
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_text("x", "figures/one.txt")
    server = Tracking()
    assert server.artifact(run.info.run_id, "figures/one.txt", 1) == b"x"
    with pytest.raises(NotStoredError, match="no figures/two"):
        server.artifact(run.info.run_id, "figures/two.txt", 1)
    with pytest.raises(NotStoredError, match="no run 0123"):
        server.run("0123")


@pytest.mark.parametrize(
    ("tag", "found"),
    [("rents/1", ("rents", "1")), ("a/b/7", ("a/b", "7")), ("rents", None), ("rents/", None), ("/1", None), ("", None)],
)
def test_the_version_that_a_run_registered_is_what_the_run_says(
    store: MlflowClient, experiment: str, tag: str, found: tuple[str, str] | None
):
    """Whoever has a model of their own may say that its versions came from any run."""
    run = store.create_run(experiment, tags={"model_version": tag})
    store.create_registered_model("a stranger's")
    said = {"parent_run_id": run.info.run_id}
    store.create_model_version("a stranger's", run.info.artifact_uri, run.info.run_id, tags=said)
    assert tracking.model_version_of(store.get_run(run.info.run_id)) == found


def test_a_file_larger_than_the_limit_is_not_loaded_nor_is_a_folder(store: MlflowClient, experiment: str):
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_text("xx", "figures/one.png")
        mlflow.log_text("x", "figures/two.png/three.png")
    server = Tracking()
    with pytest.raises(UnreadableError, match="larger than"):
        server.artifact(run.info.run_id, "figures/one.png", 1)
    with pytest.raises(NotStoredError, match=r"has no figures/two\.png"):
        server.artifact(run.info.run_id, "figures/two.png", 1)


def test_whose_a_run_is_says_its_experiment_and_its_parent(store: MlflowClient, experiment: str, rents: Rents):
    elsewhere = store.create_experiment("strangers")
    server = Tracking()
    assert server.experiments() == {"rents": {"rents"}}

    def dags(run) -> set[str]:
        return set(server.dags_of(run))

    parent = store.create_run(experiment, tags={"airflow.dag_id": "rents"})
    child = store.get_run(child_of(store, parent, **{"airflow.dag_id": "another"}))
    assert dags(parent) == dags(child) == dags(store.create_run(experiment)) == {"rents"}
    forged = store.create_run(elsewhere, tags={"airflow.dag_id": "rents"})
    theirs = store.create_run(elsewhere, tags={"mlflow.parentRunId": parent.info.run_id})
    ours = store.create_run(experiment, tags={"mlflow.parentRunId": forged.info.run_id})
    for run in (forged, theirs, ours, store.create_run(experiment, tags={"airflow.dag_id": "another"})):
        with pytest.raises(NotStoredError, match=f"no run {run.info.run_id}"):
            server.dags_of(run)


@pytest.mark.parametrize("run_id", ["", "a b", "../x", "a" * 65, "é", "'"])
def test_what_is_no_id_is_not_asked_for(run_id: str):
    with pytest.raises(NotStoredError, match="That is no id of a run"):
        Tracking().run(run_id)
