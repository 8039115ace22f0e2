"""One child run per key on a real store: found again by tag, resumed when the work is the same, never duplicated."""

import shutil
from functools import partial
from pathlib import Path

import mlflow
import pytest
from kedro.io import AbstractDataset, DataCatalog, DatasetError
from kedro_mlflow.io.catalog.switch_catalog_logging import switch_catalog_logging
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tracked_kedro import paging
from tracked_kedro.child_runs import children
from tracked_kedro.child_runs.children import ChildRuns
from tracked_kedro.child_runs.datasets import MlflowChildRunsDataset
from tracked_kedro.child_runs.index import ChildIndex
from tracked_kedro.child_runs.record import ChildRecord


def record(label: str = "Belém", status: str = "FINISHED", fingerprint: str = "f1", **more) -> ChildRecord:
    return ChildRecord(label, status, fingerprint, **more)


def save_text(model: str, folder: Path) -> None:
    """What a pipeline might keep of each key's model."""
    folder.mkdir()
    (folder / "MLmodel").write_text(model)


@pytest.fixture
def child_runs(var: Path):
    """Makes the dataset, anew for each task as the catalog does; all of a run share one folder."""
    return partial(MlflowChildRunsDataset, str(var / "child_runs"))


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Filters of all searches for runs from here on."""
    made = []
    original = MlflowClient.search_runs

    def counted(self, experiment_ids, filter_string="", **options):
        made.append(filter_string)
        return original(self, experiment_ids, filter_string, **options)

    monkeypatch.setattr(MlflowClient, "search_runs", counted)
    return made


def children_of(store: MlflowClient, parent) -> list[Run]:
    return store.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")


def done_values(store: MlflowClient, parent) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in store.get_metric_history(parent.info.run_id, "series_done")]


def test_a_record_becomes_a_nested_run_with_all_that_it_holds(store: MlflowClient, parent, child_runs) -> None:
    full = record(
        parameters={"series": "belem", "y_mean": 26.5, "note": "x" * 7000},
        metrics={"rmse": 0.5, "crps": 0.25},
        tags={"method_used": "marginal"},
        files={"figures/forecast.png": b"png"},
        model="a model",
    )
    child_runs(save_model=f"{__name__}.save_text").save({"belem": full})

    (run,) = children_of(store, parent)
    assert run.info.run_name == "Belém"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"series": "belem", "y_mean": "26.5", "note": "x" * 6000}
    assert run.data.metrics == {"rmse": 0.5, "crps": 0.25}
    tags = {"series": "belem", "fingerprint": "f1", "method_used": "marginal"}
    assert tags.items() <= run.data.tags.items()
    assert [file.path for file in store.list_artifacts(run.info.run_id)] == ["figures", "model"]
    image = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/figures/forecast.png"))
    assert image.read_bytes() == b"png"
    kept = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/model"))
    assert {path.name: path.read_text() for path in kept.iterdir()} == {"MLmodel": "a model"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.saving.save", "'nowhere.saving.save' cannot be imported"),
        ("json.save", "'json.save' cannot be imported"),
        ("json.__name__", "'json.__name__' is no function"),
    ],
)
def test_a_function_that_is_not_there_is_named_before_anything_runs(name: str, message: str) -> None:
    entry = {"type": "tracked_kedro.child_runs.datasets.MlflowChildRunsDataset", "index": "x", "save_model": name}
    with pytest.raises(DatasetError, match=f"save_model: {message}"):
        AbstractDataset.from_config("flats_child_runs", entry)


def test_a_model_that_nothing_says_how_to_keep_is_refused_before_a_run_is_made(store: MlflowClient, parent, child_runs):
    with pytest.raises(DatasetError, match="give the entry a `save_model`"):
        child_runs().save({"a": record(), "b": record(model="a model")})
    assert children_of(store, parent) == []


def test_the_parent_stays_active_and_running(store: MlflowClient, parent, child_runs) -> None:
    child_runs().save({"belem": record(), "rio": record("Rio", "FAILED")})
    assert mlflow.active_run().info.run_id == parent.info.run_id
    assert store.get_run(parent.info.run_id).info.status == "RUNNING"


def test_each_series_has_its_own_status(store: MlflowClient, parent, child_runs) -> None:
    failed = record("Rio", "FAILED", failure="train: ValueError: constant")
    child_runs().save({"belem": record(), "rio": failed})
    runs = {run.info.run_name: run for run in children_of(store, parent)}
    assert {name: run.info.status for name, run in runs.items()} == {"Belém": "FINISHED", "Rio": "FAILED"}
    assert runs["Rio"].data.tags["failure"] == "train: ValueError: constant"
    # Only what is finished counts as done.
    assert child_runs().load() == {"belem": "f1"}


def test_the_same_work_resumes_its_run(store: MlflowClient, parent, child_runs) -> None:
    child_runs().save({"belem": record(status="FAILED", parameters={"series": "belem"})})
    (before,) = children_of(store, parent)
    child_runs().save({"belem": record(parameters={"series": "belem"}, metrics={"rmse": 0.5})})
    (after,) = children_of(store, parent)
    assert after.info.run_id == before.info.run_id
    assert after.info.status == "FINISHED"
    assert after.data.metrics == {"rmse": 0.5}


def test_other_work_deletes_the_old_run_and_makes_a_new_one(store: MlflowClient, parent, child_runs) -> None:
    child_runs().save({"belem": record(parameters={"y_mean": 1})})
    (old,) = children_of(store, parent)
    child_runs().save({"belem": record(fingerprint="f2", parameters={"y_mean": 2})})
    (new,) = children_of(store, parent)
    assert new.info.run_id != old.info.run_id
    assert new.data.params["y_mean"] == "2"
    assert store.get_run(old.info.run_id).info.lifecycle_stage == "deleted"
    assert child_runs().load() == {"belem": "f2"}


def test_a_series_that_is_retried_drops_the_note_of_its_failure(store: MlflowClient, parent, child_runs) -> None:
    child_runs().save({"belem": record(status="FAILED", failure="train: no")})
    child_runs().save({"belem": record()})
    (run,) = children_of(store, parent)
    assert "failure" not in run.data.tags


def test_children_of_another_parent_are_not_seen(store: MlflowClient, parent, child_runs) -> None:
    child_runs().save({"belem": record()})
    mlflow.end_run()
    with mlflow.start_run(experiment_id=parent.info.experiment_id):
        assert child_runs().load() == {}
        child_runs().save({"belem": record(fingerprint="f2")})
    (untouched,) = children_of(store, parent)
    assert untouched.data.tags["fingerprint"] == "f1"


def test_switched_off_it_makes_not_one_call(monkeypatch: pytest.MonkeyPatch, child_runs) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    catalog = DataCatalog({"runs": child_runs()})
    # The way kedro-mlflow switches datasets off: by the first letters of their class.
    switch_catalog_logging(catalog, False)
    catalog.save("runs", {"belem": record()})
    assert catalog.load("runs") == {}


def test_without_a_parent_it_says_so(store: MlflowClient, child_runs) -> None:
    with pytest.raises(DatasetError, match="No MLflow run is active"):
        child_runs().save({"belem": record()})


def test_more_children_than_a_page_are_all_found(
    store: MlflowClient, parent, child_runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (paging, children):
        monkeypatch.setattr(module, "PAGE", 2)
    names = [f"series {number}" for number in range(5)]
    child_runs().save({name: record(name) for name in names})
    assert set(ChildRuns(store, parent).find_all()) == set(names)
    assert set(child_runs().load()) == set(names)
    child_runs().save({name: record(name) for name in names})
    assert len(children_of(store, parent)) == 5


def test_a_task_is_told_about_its_own_series_only(store: MlflowClient, parent, child_runs, searches) -> None:
    child_runs().save({name: record(name.upper()) for name in "abcd"})
    searches.clear()
    assert child_runs(keys=["b", "e"]).load() == {"b": "f1"}
    (ids,) = [query.partition(" IN ")[2] for query in searches if " IN " in query]
    (b,) = [run for run in children_of(store, parent) if run.data.tags["series"] == "b"]
    assert ids == f"('{b.info.run_id}')"


def test_a_first_attempt_asks_once_and_is_told_nothing(store: MlflowClient, parent, child_runs, searches) -> None:
    child_runs().save({name: record(name) for name in "abcd"})
    searches.clear()
    second = child_runs(keys=["e", "f"])
    assert second.load() == {}
    child_runs().save({"e": record("E"), "f": record("F")})
    (only,) = searches
    assert store.search_runs([parent.info.experiment_id], only) == []


def test_a_task_killed_at_any_moment_leaves_no_second_child(
    store: MlflowClient, parent, child_runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    # After a child was made, after all was logged to it, after it was noted as finished, and after it was.
    moments = [(MlflowClient, "log_batch"), (ChildIndex, "add"), (ChildRuns, "end"), (MlflowClient, "log_metric")]
    for owner, name in moments:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(owner, name, killed)
            child_runs().save({"a": record("A", parameters={"n": 1})})
        assert len(children_of(store, parent)) == 1
        task = child_runs(keys=["a"])
        assert task.load() == ({"a": "f1"} if name == "log_metric" else {})
    child_runs().save({"a": record("A", parameters={"n": 1})})
    (run,) = children_of(store, parent)
    assert run.info.status == "FINISHED"
    assert done_values(store, parent) == [(1, 1)]


def test_a_lost_data_folder_makes_no_second_child(store: MlflowClient, parent, child_runs, var: Path) -> None:
    child_runs().save({"a": record("A"), "b": record("B")})
    shutil.rmtree(var / "child_runs")
    # A task that resumes the parent reads it again.
    mlflow.end_run()
    with mlflow.start_run(parent.info.run_id):
        assert child_runs(keys=["a"]).load() == {"a": "f1", "b": "f1"}
        child_runs().save({"a": record("A")})
        assert child_runs(keys=["b"]).load() == {"b": "f1"}
    assert len(children_of(store, parent)) == 2


def test_notes_of_another_parent_are_not_taken_for_ours(store: MlflowClient, parent, child_runs) -> None:
    """`kedro run` keeps the data of all its runs in one folder."""
    child_runs().save({"a": record("A")})
    mlflow.end_run()
    with mlflow.start_run(experiment_id=parent.info.experiment_id) as other:
        child_runs().save({"b": record("B")})
        assert done_values(store, other) == [(1, 1)]


def test_a_child_that_somebody_deleted_is_made_again(store: MlflowClient, parent, child_runs) -> None:
    child_runs().save({"a": record("A")})
    (old,) = children_of(store, parent)
    store.delete_run(old.info.run_id)
    assert child_runs().load() == {}
    child_runs().save({"a": record("A")})
    (new,) = children_of(store, parent)
    assert new.info.run_id != old.info.run_id
    assert done_values(store, parent)[-1] == (1, 1)


@pytest.mark.parametrize("before", [False, True])
def test_a_child_that_somebody_deletes_while_it_is_written_is_made_again(
    store: MlflowClient, parent, child_runs, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """The adversary waits until the child is there: a new one, or an unfinished one of an earlier try."""
    if before:
        child_runs().save({"a": record("A", "FAILED")})
    original = ChildRuns.open
    deleted = []

    def opened(self, key, *arguments):
        child = original(self, key, *arguments)
        if key == "a" and not deleted:
            deleted.append(child.run_id)
            store.delete_run(child.run_id)
        return child

    monkeypatch.setattr(ChildRuns, "open", opened)
    child_runs().save({"a": record("A"), "b": record("B")})
    children = children_of(store, parent)
    assert [run.info.status for run in children] == ["FINISHED", "FINISHED"]
    assert deleted[0] not in {run.info.run_id for run in children}
    assert done_values(store, parent)[-1] == (2, 2)
    assert set(child_runs().load()) == {"a", "b"}


def test_the_parent_tells_how_many_series_are_done(store: MlflowClient, parent, child_runs) -> None:
    # Each shard is a task with a dataset of its own.
    child_runs().save({"a": record("A"), "b": record("B", "FAILED")})
    child_runs().save({"c": record("C"), "d": record("D")})
    child_runs().save({"b": record("B")})
    assert done_values(store, parent) == [(1, 1), (3, 3), (4, 4)]
    assert store.get_run(parent.info.run_id).data.metrics["series_done"] == 4


def test_the_count_costs_one_request_a_shard(
    store: MlflowClient, parent, monkeypatch: pytest.MonkeyPatch, child_runs
) -> None:
    logged = []
    original = MlflowClient.log_metric

    def counted(self, run_id, key, *arguments, **options):
        logged.append(key)
        return original(self, run_id, key, *arguments, **options)

    monkeypatch.setattr(MlflowClient, "log_metric", counted)
    child_runs().save({name: record(name) for name in "abcd"})
    assert logged == ["series_done"]


def test_what_a_load_found_is_handed_to_the_save_of_the_same_parent_only(
    store: MlflowClient, parent, child_runs, searches
) -> None:
    child_runs().load()
    child_runs().save({"belem": record()})
    assert len(searches) == 1  # by the load
    child_runs().save({"belem": record(metrics={"rmse": 0.5})})
    assert len(searches) == 3  # nothing was handed on: it looks by itself, and finds the run
    child_runs().load()
    mlflow.end_run()
    with mlflow.start_run(experiment_id=parent.info.experiment_id):
        child_runs().save({"belem": record()})
    assert len(searches) == 6
    assert len(children_of(store, parent)) == 1
