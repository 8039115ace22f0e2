"""Raw inputs by content: kept once, read by digest, refused where they are gone or changed."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path

import fsspec
import polars as pl
import pytest

from tracked_kedro.errors import RefusedInputError
from tracked_kedro.kedro_side.raw_inputs import RawInputError, RawInputs, RawInputsDataset
from tracked_kedro.kedro_side.sources.opening import source

CONTENT = b"YEAR,JAN\n2019,26.5\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
CSV = {"type": "polars.LazyPolarsDataset", "file_format": "csv"}


@pytest.fixture(params=["memory", "local"])
def kept(request: pytest.FixtureRequest, var: Path) -> RawInputs:
    memory = request.param == "memory"
    yield RawInputs(f"memory:///{var.parent.name}/raw" if memory else str(var / "data" / "raw_inputs"))
    fsspec.filesystem("memory").store.clear()


def keep(kept: RawInputs, var: Path, content: bytes = CONTENT) -> str:
    path = var.parent / "source.csv"
    path.write_bytes(content)
    return kept.keep(source(str(path)))


def test_equal_files_are_kept_once(kept: RawInputs, var: Path):
    assert keep(kept, var) == keep(kept, var) == DIGEST
    filesystem, path = fsspec.core.url_to_fs(kept.root)
    assert len(filesystem.ls(path)) == 1
    assert kept.local(DIGEST).read_bytes() == CONTENT


def test_one_that_is_not_kept_is_named(kept: RawInputs):
    with pytest.raises(RawInputError, match=f"{DIGEST} is not kept in"):
        kept.local(DIGEST)


def test_one_that_was_changed_is_refused(kept: RawInputs, var: Path):
    keep(kept, var)
    kept.local(DIGEST).write_bytes(b"YEAR,JAN\n2019,99.9\n")
    with pytest.raises(RawInputError, match=f"is not what was kept as {DIGEST}"):
        kept.local(DIGEST)


def test_a_run_reads_what_its_manifest_names_whatever_became_of_the_folder(kept: RawInputs, var: Path):
    manifest = var / "raw_inputs.json"
    manifest.write_text(json.dumps({"files": {"station_belem.csv": keep(kept, var), "notes.txt": "0" * 64}}))
    keep(kept, var, b"another month's file")
    partitions = RawInputsDataset(str(manifest), kept.root, CSV, ".csv").load()
    assert list(partitions) == ["station_belem"]
    assert partitions["station_belem"]().collect().equals(pl.DataFrame({"YEAR": [2019], "JAN": [26.5]}))


def test_the_reader_learns_why_a_file_was_not_kept(kept: RawInputs, var: Path):
    manifest = var / "raw_inputs.json"
    files = {"station_belem.csv": keep(kept, var)}
    manifest.write_text(json.dumps({"files": files, "refused": {"station_rio.csv": "it is no regular file"}}))
    partitions = RawInputsDataset(str(manifest), kept.root, CSV, ".csv").load()
    assert partitions["station_belem"]().collect().height == 1
    with pytest.raises(RefusedInputError, match=r"^it is no regular file$"):
        partitions["station_rio"]()


def test_another_machine_fetches_what_it_needs(kept: RawInputs, var: Path, monkeypatch: pytest.MonkeyPatch):
    keep(kept, var)
    if "://" in kept.root:
        monkeypatch.setenv("RETRAINING_VAR", str(var / "another"))
    assert kept.local(DIGEST).read_bytes() == CONTENT
    assert not list(var.rglob(".new-*"))


def test_a_file_that_ends_midway_leaves_nothing(kept: RawInputs, var: Path):
    fsspec.filesystem("memory").pipe_file("/source/stream.csv", CONTENT)

    class Broken(Exception):
        pass

    def fail(*_: object) -> str:
        raise Broken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracked_kedro.kedro_side.raw_inputs._copy", fail)
        with pytest.raises(Broken):
            kept.keep(source("memory:///source/stream.csv", ["memory:///source"]))
    assert not [path for path in var.rglob("*") if path.is_file()]
    assert kept.keep(source("memory:///source/stream.csv", ["memory:///source"])) == DIGEST


def test_a_large_file_is_kept_in_constant_memory(var: Path):
    """A stream of gigabytes must not be in memory."""
    kept = RawInputs(str(var / "data" / "raw_inputs"))
    with (var.parent / "large.csv").open("wb") as file:
        file.truncate(64 * 2**20)
    tracemalloc.start()
    try:
        kept.local(kept.keep(source(str(var.parent / "large.csv"))))
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
