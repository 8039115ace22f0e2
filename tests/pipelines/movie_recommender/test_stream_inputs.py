"""The recommender's raw inputs: what the manifest says, and what is read by it when the source is gone."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DatasetError

from retraining.pipelines.movie_recommender.recommender.errors import BadStreamError
from retraining.pipelines.movie_recommender.stream.datasets import StreamDataset
from retraining.pipelines.movie_recommender.stream.inputs import (
    KeptRuntimesDataset,
    KeptStreamDataset,
    StreamSourceDataset,
)
from tracked_kedro.kedro_side import locations


@pytest.fixture
def source(tmp_path: Path, var: Path) -> Path:
    """A folder of two files, one of them compressed."""
    folder = tmp_path / "stream"
    folder.mkdir()
    (folder / "2024-02.csv").write_text("second\n")
    (folder / "2024-01.csv.gz").write_bytes(gzip.compress(b"first\n"))
    return folder


def kept(manifest: dict[str, Any], var: Path) -> tuple[list[tuple[int, str]], list[tuple[str, float]]]:
    """Lines and runtimes, read by the manifest."""
    path = var / "raw_inputs.json"
    path.write_text(json.dumps(manifest))
    stream = KeptStreamDataset(str(path), locations.raw_inputs()).load()
    table = KeptRuntimesDataset(str(path), locations.raw_inputs()).load()
    return [row for batch in stream for row in batch.rows()], table.rows()


def test_a_folder_is_read_as_it_was_when_it_is_gone(source: Path, var: Path) -> None:
    (source / "movie_runtimes.csv").write_text("movie_id,runtime_minutes\nb+2000,90\n")
    manifest = StreamSourceDataset(str(source), None, "movie_recommender.movies").load()
    shutil.rmtree(source)
    assert kept(manifest, var) == ([(1, "first"), (2, "second")], [("b+2000", 90.0)])
    assert list(manifest.pop("files")) == ["2024-01.csv.gz", "2024-02.csv", "movie_runtimes.csv"]
    assert manifest == {
        "origin": str(source),
        "simulated": False,
        "parameter": "movie_recommender.movies",
        "file": "",
        "runtimes": str(source / "movie_runtimes.csv"),
    }


def test_one_file_of_any_name_and_a_table_elsewhere(source: Path, tmp_path: Path, var: Path) -> None:
    (source / "2024-02.csv").rename(tmp_path / "kafka.dump")
    (tmp_path / "minutes.csv").write_text("movie_id,runtime_minutes\na,100\n")
    dataset = StreamSourceDataset(str(tmp_path / "kafka.dump"), str(tmp_path / "minutes.csv"), "p.movies")
    manifest = dataset.load()
    assert manifest["file"] == "kafka.dump"
    assert kept(manifest, var) == ([(1, "second")], [("a", 100.0)])


def test_equal_files_are_read_as_often_as_they_are_there(source: Path, var: Path) -> None:
    (source / "2024-03.csv").write_text("second\n")
    manifest = StreamSourceDataset(str(source), None, "p.movies").load()
    assert kept(manifest, var) == ([(1, "first"), (2, "second"), (3, "second")], [])
    assert len(list(Path(locations.raw_inputs()).iterdir())) == 2


def test_a_table_that_was_named_must_be_there(source: Path) -> None:
    with pytest.raises(DatasetError, match=r"runtimes .*named\.csv is not there; correct `runtimes`"):
        StreamSourceDataset(str(source), str(source / "named.csv"), "p.movies").load()


def test_a_wrong_table_is_called_by_the_place_it_came_from(source: Path, var: Path) -> None:
    (source / "movie_runtimes.csv").write_text("movie_id,runtime_minutes\na,long\n")
    manifest = StreamSourceDataset(str(source), None, "p.movies").load()
    with pytest.raises(DatasetError, match=r"stream/movie_runtimes\.csv, line 2: runtime_minutes is no number"):
        kept(manifest, var)


@pytest.mark.parametrize("movies", ["/proc/self/environ", "http://127.0.0.1:9/x", "file:///etc/passwd", "{source}"])
def test_what_no_list_allows_is_neither_read_nor_kept(
    source: Path, movies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_SOURCES", "")
    named = movies.format(source=source)
    for arguments in ((named, None), (None, named)):
        with pytest.raises(DatasetError, match="ALLOWED_SOURCES"):
            StreamSourceDataset(*arguments, "p.movies").load()
    assert not [path for path in Path(locations.raw_inputs()).rglob("*") if path.is_file()]


def test_what_is_not_packed_as_its_name_says_is_named_and_not_quoted(source: Path) -> None:
    (source / "2024-01.csv.gz").write_bytes(b"c4n4ry")
    with pytest.raises(BadStreamError, match=r"^2024-01\.csv\.gz: it cannot be unpacked"):
        list(StreamDataset(str(source)).load())


def test_a_password_in_an_address_is_not_told() -> None:
    dataset = StreamSourceDataset("https://user:secret@host/stream.csv", "s3://key:secret@bucket/minutes.csv", "p")
    assert "secret" not in str(dataset._describe())
