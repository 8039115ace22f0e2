"""A run that is cleared after its keys have changed is about the new ones alone."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from tracked_kedro.child_runs.datasets import MlflowChildRunsDataset
from tracked_kedro.child_runs.keys import MlflowKeysDataset
from tracked_kedro.child_runs.record import ChildRecord


@pytest.fixture
def run(var: Path):
    """Saves keys, then a child run for each, anew for each attempt as the catalog does."""

    def attempt(*keys: str, failed: str = "") -> None:
        stored = {"type": "json.JSONDataset", "filepath": str(var / "keys.json")}
        MlflowKeysDataset(stored, str(var / "child_runs")).save(list(keys))
        records = {key: ChildRecord(key, "FAILED" if key == failed else "FINISHED", "f1") for key in keys}
        MlflowChildRunsDataset(str(var / "child_runs")).save(records)

    return attempt


def names(store: MlflowClient, parent, view: ViewType = ViewType.ACTIVE_ONLY) -> list[str]:
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return sorted(run.info.run_name for run in store.search_runs([parent.info.experiment_id], query, view))


def done(store: MlflowClient, parent) -> float:
    return store.get_run(parent.info.run_id).data.metrics["series_done"]


def test_what_is_gone_is_deleted_and_not_counted(store: MlflowClient, parent, run):
    run("a", "b", "c", failed="c")
    assert done(store, parent) == 2
    run("a", "d")
    assert names(store, parent) == ["a", "d"]
    assert names(store, parent, ViewType.DELETED_ONLY) == ["b", "c"]
    assert done(store, parent) == 2
    run("a")
    assert (names(store, parent), done(store, parent)) == (["a"], 1)


def test_what_comes_back_gets_a_run_of_its_own(store: MlflowClient, parent, run):
    run("a", "b")
    run("a")
    run("a", "b")
    assert names(store, parent) == ["a", "b"]
    assert names(store, parent, ViewType.DELETED_ONLY) == ["b"]
    assert done(store, parent) == 2


def test_the_same_keys_cost_no_request(store: MlflowClient, parent, var: Path, monkeypatch: pytest.MonkeyPatch):
    stored = {"type": "json.JSONDataset", "filepath": str(var / "keys.json")}
    keys = MlflowKeysDataset(stored, str(var / "child_runs"))
    monkeypatch.setattr(MlflowClient, "search_runs", lambda *_, **__: pytest.fail("a request"))
    keys.save(["a"])
    keys.save(["a"])
    keys.save(["a", "b"])
    assert keys.load() == ["a", "b"]


def test_other_data_of_a_key_leaves_nothing_of_the_old(store: MlflowClient, parent, var: Path):
    """The task that would make it anew may be killed."""
    stored = {"type": "json.JSONDataset", "filepath": str(var / "keys.json")}
    files = [str(var / "results" / "{key}.json"), str(var / "more" / "{key}.nc")]

    def keys(digests: dict[str, str] | list[str]) -> MlflowKeysDataset:
        made = MlflowKeysDataset(stored, str(var / "child_runs"), files)
        made.save(digests)
        return made

    def left() -> list[str]:
        return sorted(path.name for path in (var / "results").iterdir())

    keys({"a": "1", "b": "1", "c": "1"})
    MlflowChildRunsDataset(str(var / "child_runs")).save({key: ChildRecord(key, "FINISHED", "f1") for key in "abc"})
    (var / "results").mkdir()
    for key in "abc":
        (var / "results" / f"{key}.json").write_text("{}")
    assert keys({"a": "1", "b": "2"}).load() == ["a", "b"]
    assert (names(store, parent), done(store, parent), left()) == (["a"], 1, ["a.json"])
    # A list without digests, as an earlier version stored it, says nothing about data.
    keys(["a", "b"])
    keys({"a": "3", "b": "3"})
    assert (names(store, parent), left()) == (["a"], ["a.json"])


def test_without_tracking_it_is_the_list(var: Path):
    stored = {"type": "json.JSONDataset", "filepath": str(var / "keys.json")}
    keys = MlflowKeysDataset(stored, str(var / "child_runs"))
    keys.save(["a", "b"])
    keys.save(["a"])
    assert keys.load() == ["a"]


def test_a_lost_data_folder_hides_none(store: MlflowClient, parent, var: Path):
    """The parent, as the next task resumes it, tells that there were children."""
    MlflowChildRunsDataset(str(var / "child_runs")).save({key: ChildRecord(key, "FINISHED", "f1") for key in "ab"})
    mlflow.end_run()
    with mlflow.start_run(run_id=parent.info.run_id):
        stored = {"type": "json.JSONDataset", "filepath": str(var / "keys.json")}
        MlflowKeysDataset(stored, str(var / "elsewhere")).save(["a"])
    assert names(store, parent) == ["a"]
