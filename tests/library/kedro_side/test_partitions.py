"""Partitioned datasets that may be empty, or are found by name."""

from pathlib import Path

import fsspec
import pytest

from tracked_kedro.kedro_side.partitions import OptionalPartitionedDataset, PartitionsByNameDataset


@pytest.fixture
def results(tmp_path: Path) -> OptionalPartitionedDataset:
    return OptionalPartitionedDataset(
        path=str(tmp_path / "results"), dataset="json.JSONDataset", filename_suffix=".json"
    )


def test_nothing_there_yet_is_empty(results: OptionalPartitionedDataset, tmp_path: Path) -> None:
    assert results.load() == {}
    (tmp_path / "results").mkdir()
    assert results.load() == {}


def test_what_another_task_has_added_meanwhile_is_seen(results: OptionalPartitionedDataset, tmp_path: Path) -> None:
    results.save({"a": {"x": 1}})
    assert {name: load() for name, load in results.load().items()} == {"a": {"x": 1}}
    (tmp_path / "results" / "b.json").write_text('{"x": 2}')
    assert {name: load() for name, load in results.load().items()} == {"a": {"x": 1}, "b": {"x": 2}}


def test_shards_add_to_each_other(results: OptionalPartitionedDataset) -> None:
    results.save({"a": {"x": 1}})
    results.save({"b": {"x": 2}})
    assert set(results.load()) == {"a", "b"}


# An object store stands behind the same interface as a folder.
@pytest.mark.parametrize("address", ["{folder}/results", "memory://by-name"])
def test_partitions_are_found_by_name_without_a_listing(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = {"dataset": "json.JSONDataset", "filename_suffix": ".json"}
    dataset = PartitionsByNameDataset(path=address.format(folder=tmp_path), **arguments)
    results = dataset.load()
    assert "a" not in results
    dataset.save({"a": {"x": 1}, "b": {"x": 2}})
    assert set(results) == {"a", "b"}
    monkeypatch.setattr(dataset, "_list_partitions", lambda: pytest.fail("a listing grows with the fleet"))
    assert "a" in results
    assert results["b"]() == {"x": 2}
    assert "c" not in results
    with pytest.raises(KeyError):
        results["c"]


@pytest.fixture(autouse=True)
def clean_memory():
    yield
    store = fsspec.filesystem("memory")
    store.store.clear()
