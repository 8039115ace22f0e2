"""Datasets that may be empty, and posteriors that are there in one piece or not at all."""

import resource
from pathlib import Path

import fsspec
import numpy as np
import pytest
from kedro.io import DatasetError

from retraining.partitions import OptionalPartitionedDataset, PartitionsByNameDataset, PosteriorDataset


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


# An object store stands behind the same interface as a folder.
@pytest.mark.parametrize("address", ["{folder}/posteriors/a.nc", "memory://posteriors/a.nc"])
def test_a_posterior_comes_back_bit_for_bit(posterior, tmp_path: Path, address: str) -> None:
    dataset = PosteriorDataset(address.format(folder=tmp_path))
    assert not dataset.exists()
    dataset.save(posterior)
    assert dataset.exists()
    assert np.array_equal(dataset.load().forecast(12).mean, posterior.forecast(12).mean)


def test_a_failed_write_leaves_the_old_file(posterior, tmp_path: Path) -> None:
    dataset = PosteriorDataset(str(tmp_path / "a.nc"))
    dataset.save(posterior)
    before = (tmp_path / "a.nc").read_bytes()

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(DatasetError, match="File too large"):
            dataset.save(posterior)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "a.nc").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.nc"]


def test_a_missing_posterior_is_named(tmp_path: Path) -> None:
    with pytest.raises((DatasetError, FileNotFoundError), match=r"a\.nc"):
        PosteriorDataset(str(tmp_path / "a.nc")).load()


@pytest.fixture(autouse=True)
def clean_memory():
    yield
    store = fsspec.filesystem("memory")
    store.store.clear()
