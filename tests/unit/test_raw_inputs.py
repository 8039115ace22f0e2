"""Raw inputs by content: kept once, read by digest, refused where they are gone or changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import fsspec
import polars as pl
import pytest

from retraining.raw_inputs import RawInputError, RawInputs, RawInputsDataset

CONTENT = b"YEAR,JAN\n2019,26.5\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
CSV = {"type": "polars.LazyPolarsDataset", "file_format": "csv"}


@pytest.fixture(params=["memory", "local"])
def kept(request: pytest.FixtureRequest, var: Path) -> RawInputs:
    memory = request.param == "memory"
    yield RawInputs(f"memory:///{var.parent.name}/raw" if memory else str(var / "data" / "raw_inputs"))
    fsspec.filesystem("memory").store.clear()


def test_equal_files_are_kept_once(kept: RawInputs):
    assert kept.keep(CONTENT) == kept.keep(CONTENT) == DIGEST
    filesystem, path = fsspec.core.url_to_fs(kept.root)
    assert len(filesystem.ls(path)) == 1
    assert kept.local(DIGEST).read_bytes() == CONTENT


def test_one_that_is_not_kept_is_named(kept: RawInputs):
    with pytest.raises(RawInputError, match=f"{DIGEST} is not kept in"):
        kept.local(DIGEST)


def test_one_that_was_changed_is_refused(kept: RawInputs):
    kept.keep(CONTENT)
    kept.local(DIGEST).write_bytes(b"YEAR,JAN\n2019,99.9\n")
    with pytest.raises(RawInputError, match=f"is not what was kept as {DIGEST}"):
        kept.local(DIGEST)


def test_a_run_reads_what_its_manifest_names_whatever_became_of_the_folder(kept: RawInputs, var: Path):
    manifest = var / "raw_inputs.json"
    manifest.write_text(json.dumps({"files": {"station_belem.csv": kept.keep(CONTENT), "notes.txt": "0" * 64}}))
    kept.keep(b"another month's file")
    partitions = RawInputsDataset(str(manifest), kept.root, CSV, ".csv").load()
    assert list(partitions) == ["station_belem"]
    assert partitions["station_belem"]().collect().equals(pl.DataFrame({"YEAR": [2019], "JAN": [26.5]}))
