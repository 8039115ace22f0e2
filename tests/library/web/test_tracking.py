"""Single runs, their files and versions, on a real store."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from tracked_kedro import paging
from tracked_kedro.web.tracking import NotStoredError, Tracking


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
    tracking = Tracking()
    for wanted in ({"city 0"}, {"city 7"}, {"city 0", "city 3", "city 7"}):
        assert set(tracking.children_of(parent, wanted)) == {children[name] for name in wanted}
    assert tracking.children_of(parent, {"nowhere"}) == []


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
    tracking = Tracking()
    assert tracking.artifact(run.info.run_id, "figures/one.txt") == b"x"
    with pytest.raises(NotStoredError, match="no figures/two"):
        tracking.artifact(run.info.run_id, "figures/two.txt")
    with pytest.raises(NotStoredError, match="no run 0123"):
        tracking.run("0123")
    assert tracking.model_version_of(run.info.run_id) is None


def test_the_version_that_a_run_registered(store: MlflowClient, experiment: str):
    run = store.create_run(experiment)
    store.create_registered_model("rents")
    store.create_model_version("rents", run.info.artifact_uri, run.info.run_id, tags={"parent_run_id": run.info.run_id})
    assert Tracking().model_version_of(run.info.run_id) == ("rents", "1")
