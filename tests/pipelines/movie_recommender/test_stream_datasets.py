"""Datasets of the recommender: lines in batches, runtimes, parts, and the model's file."""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from kedro.io import DatasetError
from kedro_datasets.polars import EagerPolarsDataset

from retraining.pipelines.movie_recommender.recommender.datasets import FactorModelDataset
from retraining.pipelines.movie_recommender.recommender.errors import BadStreamError
from retraining.pipelines.movie_recommender.recommender.factors import FactorModel
from retraining.pipelines.movie_recommender.recommender.pairs import RUNTIMES
from retraining.pipelines.movie_recommender.stream import datasets as stream_datasets
from retraining.pipelines.movie_recommender.stream.datasets import (
    LineStream,
    PartsDataset,
    RuntimesDataset,
    StreamDataset,
)
from retraining.pipelines.movie_recommender.stream.locations import sample_folder


def lines(stream: LineStream) -> list[tuple[int, str]]:
    return [row for batch in stream for row in batch.rows()]


def test_lines_are_numbered_through_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stream.csv"
    text = [f"line {one} {'é' * (one % 7)}" for one in range(200)]
    path.write_text("\n".join(text))  # the last line has no end
    whole = lines(StreamDataset(str(path)).load())
    assert whole == list(enumerate(text, start=1))
    for size in (1, 7, 64, 1000):  # some blocks end inside a line, or inside a letter
        monkeypatch.setattr(stream_datasets, "BLOCK", size)
        assert lines(StreamDataset(str(path)).load()) == whole


def test_empty_lines_count(tmp_path: Path) -> None:
    (tmp_path / "stream.csv").write_text("a\n\nb\n")
    assert lines(StreamDataset(str(tmp_path / "stream.csv")).load()) == [(1, "a"), (2, ""), (3, "b")]


def test_bytes_that_are_no_utf8_do_not_stop_the_reading(tmp_path: Path) -> None:
    (tmp_path / "stream.csv").write_bytes(b"a\n\xff\xfe\nb\n")
    assert lines(StreamDataset(str(tmp_path / "stream.csv")).load())[1][1] == "\N{REPLACEMENT CHARACTER}" * 2


TEXT = "first é\nsecond\n\nlast"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        gzip.compress(TEXT.encode()),
        gzip.compress(TEXT.encode("utf-16")),
    ],
    ids=["UTF-8 with its mark", "UTF-16", "UTF-16, other order", "gzip", "gzip of UTF-16"],
)
@pytest.mark.parametrize("size", [3, 1000])
def test_a_file_tells_how_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, size: int
) -> None:
    monkeypatch.setattr(stream_datasets, "BLOCK", size)
    (tmp_path / "stream.csv").write_bytes(content)
    assert [line for _, line in lines(StreamDataset(str(tmp_path / "stream.csv")).load())] == TEXT.split("\n")


def test_a_folder_is_read_in_the_order_of_names_compressed_or_not(tmp_path: Path) -> None:
    (tmp_path / "2024-02.csv").write_text("second\n")
    (tmp_path / "2024-01.csv.gz").write_bytes(gzip.compress(b"first\n"))
    (tmp_path / "movie_runtimes.csv").write_text("movie_id,runtime_minutes\n")
    (tmp_path / "notes.txt").write_text("no stream\n")
    stream = StreamDataset(str(tmp_path)).load()
    assert lines(stream) == [(1, "first"), (2, "second")]
    assert lines(stream) == [(1, "first"), (2, "second")]  # each iteration reads anew
    assert (stream.origin, stream.simulated) == (str(tmp_path), False)


@pytest.mark.parametrize("present", [False, True])
def test_a_missing_stream_is_named(tmp_path: Path, present: bool) -> None:
    folder = tmp_path / "movies"
    if present:
        folder.mkdir()
    with pytest.raises(DatasetError, match=r"movies (is not there|holds no \*\.csv).*MOVIES="):
        StreamDataset(str(folder)).load()


def test_without_a_stream_the_sample_is_written_and_said_to_be_one(var: Path) -> None:
    stream = StreamDataset(None).load()
    assert (stream.origin, stream.simulated) == ("simulated sample", True)
    [file] = stream.files
    assert (file.source.address, file.name) == (str(sample_folder() / "kafka_stream.csv"), "kafka_stream.csv")
    assert StreamDataset(str(sample_folder())).load().simulated


def test_in_prod_a_run_without_a_stream_fails_and_says_why(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_ENV", "prod")
    monkeypatch.setenv("RETRAINING_DATA", str(var / "data"))
    with pytest.raises(DatasetError, match=r"01_raw holds no kafka_stream\.csv.*ALLOW_SIMULATED=1"):
        StreamDataset(None).load()
    assert not sample_folder().exists()


def test_an_address_is_shown_without_its_password() -> None:
    assert "secret" not in str(StreamDataset("https://user:secret@host/stream.csv")._describe())


def test_runtimes_lie_beside_the_stream(tmp_path: Path) -> None:
    (tmp_path / "stream.csv").write_text("x\n")
    (tmp_path / "movie_runtimes.csv").write_text(
        'movie_id,runtime_minutes\nb+2000,90\n"a,+the+1999",100\nb+2000,95\nc,\nd,0\n'
    )
    for place in (tmp_path / "stream.csv", tmp_path):
        table = RuntimesDataset(str(place), None).load()
        assert table.rows() == [("a,+the+1999", 100.0), ("b+2000", 95.0), ("d", 0.0)]
        assert table.columns == list(RUNTIMES)


def test_no_table_of_runtimes_is_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"the stream .*stream\.csv is not there"):
        RuntimesDataset(str(tmp_path / "stream.csv"), None).load()
    (tmp_path / "stream.csv").write_text("x\n")
    assert RuntimesDataset(str(tmp_path / "stream.csv"), None).load().schema == pl.Schema(RUNTIMES)
    with pytest.raises(DatasetError, match=r"runtimes .*named\.csv is not there; correct `runtimes`"):
        RuntimesDataset(None, str(tmp_path / "named.csv")).load()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("movie,minutes\na,3\n", r"the columns \['movie_id', 'runtime_minutes'\] are missing"),
        ("movie_id,runtime_minutes\na,3\nb,long\n", r"line 3: runtime_minutes is no number; write minutes"),
        ("movie_id,runtime_minutes\na,the+2000,3\n", r"no CSV table; write .*, quote ids with commas"),
        ("", r"no CSV table"),
    ],
)
def test_a_bad_table_of_runtimes_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "movie_runtimes.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        RuntimesDataset(str(tmp_path), None).load()


def test_parts_of_an_earlier_session_are_removed_and_those_of_this_one_kept(tmp_path: Path) -> None:
    def parts() -> PartsDataset:
        table = {"type": EagerPolarsDataset, "file_format": "parquet"}
        return PartsDataset(path=str(tmp_path / "parts"), dataset=table, filename_suffix=".parquet")

    earlier = parts()
    for one in range(3):
        earlier.save({f"part-{one}": pl.DataFrame({"a": [one]})})
    assert sorted(parts().load()) == ["part-0", "part-1", "part-2"]
    later = parts()
    chunk = {"part-0": pl.DataFrame({"a": [7]})}
    later.save(chunk)
    assert chunk == {}  # what is stored is let go
    later.save({"part-1": pl.DataFrame({"a": [8]})})
    assert {name: load()["a"].item() for name, load in parts().load().items()} == {"part-0": 7, "part-1": 8}


def test_the_model_file_is_written_in_one_piece(tmp_path: Path) -> None:
    model = FactorModel(
        mean=3.0,
        users=np.array([1]),
        movies=np.array(["a"]),
        user_bias=np.zeros(1, np.float32),
        movie_bias=np.zeros(1, np.float32),
        user_factors=np.zeros((1, 2), np.float32),
        movie_factors=np.zeros((1, 2), np.float32),
        viewers=np.ones(1, np.int32),
        seen_start=np.array([0, 0]),
        seen=np.array([], np.int32),
    )
    dataset = FactorModelDataset(str(tmp_path / "new" / "model.npz"))
    assert not dataset.exists()
    dataset.save(model)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.npz"]
    assert dataset.load().recommend(1, 1) == [("a", 3.0)]


def _zipped(**files: bytes) -> bytes:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stored.getvalue()


def test_a_zip_archive_of_one_file_is_read_and_one_of_several_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stream.zip"
    path.write_bytes(_zipped(one=b"line 1\nline 2\n"))
    assert lines(StreamDataset(str(path)).load()) == [(1, "line 1"), (2, "line 2")]
    path.write_bytes(_zipped(one=b"line 1\n", two=b"line 2\n"))
    with pytest.raises(BadStreamError, match=r"stream\.zip: it holds 2 files, and one is read"):
        lines(StreamDataset(str(path)).load())


@pytest.mark.parametrize("suffix", ["csv.gz", "bz2", "xz", "zip"])
@pytest.mark.parametrize("how", ["plain", "cut short"])
def test_what_cannot_be_unpacked_is_refused_by_name(tmp_path: Path, suffix: str, how: str) -> None:
    text = b"hunter2\n" * 1000
    packed = {"csv.gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": lambda one: _zipped(one=one)}
    path = tmp_path / f"stream.{suffix}"
    path.write_bytes(text if how == "plain" else packed[suffix](text)[:-30])
    with pytest.raises(BadStreamError, match=r"^stream\.\S+: it cannot be unpacked, or not to its end") as refused:
        lines(StreamDataset(str(path)).load())
    assert "hunter2" not in str(refused.value)
