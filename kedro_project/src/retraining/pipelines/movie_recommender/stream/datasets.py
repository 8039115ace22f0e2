"""Kedro datasets of the recommender: the stream in batches of lines, the runtimes, and files in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

import fsspec
import polars as pl
from fsspec.core import url_to_fs
from fsspec.utils import infer_compression
from kedro.io import AbstractDataset
from kedro_datasets.partitions import PartitionedDataset

from retraining.pipelines.movie_recommender.recommender.errors import BadStreamError, RuntimesError
from retraining.pipelines.movie_recommender.recommender.pairs import RUNTIMES
from retraining.pipelines.movie_recommender.stream.locations import sample_folder, stream_address
from retraining.pipelines.movie_recommender.stream.sample import RUNTIMES_FILE, write_sample
from tracked_kedro.kedro_side.redaction import public_url
from tracked_kedro.kedro_side.simulated import SIMULATED, is_simulated

#: Bytes of a batch: about 120,000 lines, some 150 MB while they are parsed.
BLOCK = 8 * 2**20


class StreamFile(NamedTuple):
    """A file of the stream: where it is read, and the name that it has at its source; `.gz` tells it is compressed."""

    address: str
    name: str


@dataclass(frozen=True)
class LineStream:
    """The lines of a stream, read anew by each iteration, never more than a block of them in memory.

    Attributes:
        files: in the order in which they are read.
        origin: where the stream comes from, fit for logs and tags.
        simulated: whether it is the simulated sample.
        read_at: when it was opened, UTC without a time zone.
    """

    files: tuple[StreamFile, ...]
    origin: str
    simulated: bool
    read_at: datetime

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Batches with the columns line_number (from 1, through all files) and line (without line end)."""
        number = 1
        for file in self.files:
            with fsspec.open(file.address, "rb", compression=infer_compression(file.name)) as opened:
                for block in _whole_lines(opened):
                    lines = block.decode("utf-8", "replace").split("\n")
                    if not lines[-1]:
                        lines.pop()
                    numbers = pl.int_range(number, number + len(lines), eager=True).alias("line_number")
                    yield pl.DataFrame([numbers, pl.Series("line", lines, pl.String)])
                    number += len(lines)


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """The file in blocks that end with a line, but for the last one of a file that was cut off."""
    rest = b""
    while block := file.read(BLOCK):
        head, newline, tail = block.rpartition(b"\n")
        if newline:
            yield rest + head + newline
            rest = tail
        else:
            rest += block
    if rest:
        yield rest


class StreamDataset(AbstractDataset[None, LineStream]):
    """The stream of views and ratings.

    Args:
        movies: a file, a folder of `*.csv` and `*.csv.gz` files that are read in the order of their names, or the
            address of one (`s3://…`, `https://…`); None for `data/01_raw/kafka_stream.csv`, else the simulated sample.
    """

    def __init__(self, movies: str | None) -> None:
        self._movies = movies

    def load(self) -> LineStream:
        """Find the files; the simulated sample is written where nothing else is there.

        Raises:
            BadStreamError: nothing is there.
        """
        address = stream_address(self._movies)
        local = None if "://" in address else Path(address)
        if local is not None and local.parent == sample_folder():
            write_sample(sample_folder())
        files = _files(address)
        simulated = local is not None and is_simulated(local if local.is_dir() else local.parent)
        origin = SIMULATED if simulated else public_url(address)
        return LineStream(tuple(StreamFile(file, name_of(file)) for file in files), origin, simulated, utc_now())

    def save(self, data: None) -> None:
        """The stream is read, never written."""
        raise NotImplementedError("the stream is read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"movies": public_url(self._movies) if self._movies else None}


def utc_now() -> datetime:
    """The present, UTC without a time zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def name_of(address: str) -> str:
    """Name of the file at an address, without the query of a signed one."""
    return PurePosixPath(urlsplit(address).path if "://" in address else address).name


def _files(address: str) -> tuple[str, ...]:
    filesystem, path = url_to_fs(address)
    if not filesystem.exists(path):
        raise BadStreamError(f"the stream {public_url(address)} is not there; name a file or folder with MOVIES=")
    if not filesystem.isdir(path):
        return (address,)
    names = (str(name) for name in filesystem.ls(path, detail=False))
    found = sorted(name for name in names if name.endswith((".csv", ".csv.gz")) and not name.endswith(RUNTIMES_FILE))
    if not found:
        raise BadStreamError(f"{public_url(address)} holds no *.csv or *.csv.gz file of a stream; see MOVIES=")
    return tuple(str(filesystem.unstrip_protocol(name)) for name in found)


class RuntimesDataset(AbstractDataset[None, pl.DataFrame]):
    """The table of runtimes: a CSV file with the columns movie_id and runtime_minutes.

    Args:
        movies: the stream; its folder's `movie_runtimes.csv` is the table, where there is one.
        runtimes: file or address of the table instead; it must be there.
    """

    def __init__(self, movies: str | None, runtimes: str | None) -> None:
        self._movies, self._runtimes = movies, runtimes

    def load(self) -> pl.DataFrame:
        """Columns `pairs.RUNTIMES`, one row per movie; empty where there is no table.

        Raises:
            RuntimesError: the table that was asked for is absent, or a column or number is wrong.
        """
        address = find_runtimes(self._movies, self._runtimes)
        return pl.DataFrame(schema=RUNTIMES) if address is None else read_runtimes(address, public_url(address))

    def save(self, data: None) -> None:
        """The table is read, never written."""
        raise NotImplementedError("the table of runtimes is read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"runtimes": public_url(self._runtimes) if self._runtimes else None}


def find_runtimes(movies: str | None, runtimes: str | None) -> str | None:
    """Address of the table of runtimes, None where there is none.

    Args:
        movies: the stream, as for `StreamDataset`; the table may lie beside it.
        runtimes: the table, where it was named; it must be there.

    Raises:
        RuntimesError: the table that was named is absent.
        BadStreamError: neither a table nor the stream is there.
    """
    stream = stream_address(movies)
    address = runtimes or _beside(stream)
    filesystem, path = url_to_fs(address)
    if filesystem.exists(path):
        return address
    if runtimes:
        raise RuntimesError(f"the table of runtimes {public_url(address)} is not there; correct `runtimes`")
    # On another machine than the one that has the stream, "no table" would go unnoticed.
    _files(stream)
    return None


def _beside(stream: str) -> str:
    filesystem, path = url_to_fs(stream)
    is_file = stream.endswith((".csv", ".gz")) or not filesystem.isdir(path)
    return f"{(stream.rpartition('/')[0] if is_file else stream).rstrip('/')}/{RUNTIMES_FILE}"


def read_runtimes(address: str, name: str) -> pl.DataFrame:
    """The table at an address, columns `pairs.RUNTIMES`, one row per movie.

    Raises:
        RuntimesError: a column or number is wrong; the message calls the table by `name`.
    """
    with fsspec.open(address, "rb") as file:
        try:
            table = pl.read_csv(file.read(), infer_schema=False)
        except pl.exceptions.PolarsError as error:
            first = str(error).splitlines()[0]
            raise RuntimesError(f"{name}: no CSV table ({first}); quote ids with commas") from error
    return _checked(table, name)


def _checked(table: pl.DataFrame, name: str) -> pl.DataFrame:
    if missing := {"movie_id", "runtime_minutes"} - set(table.columns):
        raise RuntimesError(f"{name}: the columns {sorted(missing)} are missing; the first line must name them")
    minutes = table["runtime_minutes"].str.strip_chars().cast(pl.Float64, strict=False)
    wrong = table.with_row_index("line", offset=2).filter(minutes.is_null() & table["runtime_minutes"].is_not_null())
    if not wrong.is_empty():
        line, value = wrong["line"][0], wrong["runtime_minutes"][0]
        raise RuntimesError(f"{name}, line {line}: runtime_minutes is {value!r}; write minutes, or leave it empty")
    # Of a movie that is listed twice, the longer runtime: nobody then watched more than all of it.
    return (
        pl.DataFrame({"movie": table["movie_id"], "runtime_minutes": minutes})
        .drop_nulls()
        .group_by("movie")
        .agg(pl.col("runtime_minutes").max())
        .sort("movie")
    )


class PartsDataset(PartitionedDataset):
    """A table in parts, for a node that yields one after the other: the first save of a session begins anew."""

    _begun = False

    def save(self, data: dict[str, Any]) -> None:
        """Add parts, and empty `data`; parts of an earlier session are removed first."""
        self._overwrite = not self._begun
        super().save(data)
        self._begun = True
        # Kedro's runner holds on to the last 57 chunks of a node with several outputs (a block of itertools.tee).
        data.clear()
