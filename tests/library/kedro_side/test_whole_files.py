"""A file is there in one piece or not at all, on any file system."""

import resource
from collections.abc import Iterator
from pathlib import Path

import fsspec
import polars as pl
import pytest
from kedro.io import DatasetError

from tracked_kedro.kedro_side.whole_files import BytesDataset, LedgerDataset

CONTENT = bytes(range(256)) * 100


# An object store stands behind the same interface as a folder.
@pytest.mark.parametrize("address", ["{folder}/below/a.bin", "memory://below/a.bin"])
def test_a_file_comes_back_bit_for_bit(tmp_path: Path, address: str) -> None:
    dataset = BytesDataset(address.format(folder=tmp_path))
    assert not dataset.exists()
    dataset.save(CONTENT)
    assert dataset.exists()
    assert dataset.load() == CONTENT


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    dataset = BytesDataset(str(tmp_path / "a.bin"))
    dataset.save(CONTENT)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) // 2, limits[1]))
    try:
        with pytest.raises(DatasetError, match="File too large"):
            dataset.save(CONTENT[::-1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises((DatasetError, FileNotFoundError), match=r"a\.bin"):
        BytesDataset(str(tmp_path / "a.bin")).load()


def test_a_ledger_is_nothing_before_it_is_written(tmp_path: Path) -> None:
    dataset = LedgerDataset(str(tmp_path / "ledger.parquet"))
    assert dataset.load() is None
    table = pl.DataFrame({"month": ["2019-10"], "crps": [0.4]})
    dataset.save(table)
    assert dataset.load().equals(table)


@pytest.fixture(autouse=True)
def clean_memory() -> Iterator[None]:
    yield
    fsspec.filesystem("memory").store.clear()
