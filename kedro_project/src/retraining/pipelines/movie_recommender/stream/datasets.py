"""Kedro datasets of the recommender: the stream in batches of lines, the runtimes, and files in parts."""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import polars as pl
from fsspec.compression import compr
from fsspec.utils import infer_compression
from kedro.io import AbstractDataset
from kedro_datasets.partitions import PartitionedDataset

from retraining.pipelines.movie_recommender.recommender.errors import BadStreamError, RuntimesError
from retraining.pipelines.movie_recommender.recommender.pairs import RUNTIMES
from retraining.pipelines.movie_recommender.stream.locations import sample_folder, stream_address
from retraining.pipelines.movie_recommender.stream.sample import RUNTIMES_FILE, write_sample
from tracked_kedro.kedro_side.simulated import SIMULATED, check_sample_allowed, is_simulated, note_real
from tracked_kedro.kedro_side.sources.opening import Source, shown, source

_PIPELINE = __name__.split(".")[2]
#: Bytes of a batch: about 120,000 lines, some 150 MB while they are parsed.
BLOCK = 8 * 2**20
_GZIP = b"\x1f\x8b"
_NO_BZIP2 = "Invalid data stream"
# What a text may begin with, and how the rest is to be read; None: as it is.
_MARKS = {codecs.BOM_UTF8: None, codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class StreamFile(NamedTuple):
    """A file of the stream: where it is read, and the name that it has at its source; `.gz` tells it is compressed."""

    source: Source
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
        return (lines for _, batches in self.by_file() for lines in batches)

    def by_file(self) -> Iterator[tuple[str, Iterator[pl.DataFrame]]]:
        """The same, with the name of each file; to be read one after the other, for the numbers run through."""
        numbers = itertools.count(1)
        return ((file.name, _batches(file, numbers)) for file in self.files)


def _batches(file: StreamFile, numbers: Iterator[int]) -> Iterator[pl.DataFrame]:
    with file.source.open() as stored:
        for block in _decoded(stored, file.name):
            lines = block.decode("utf-8", "replace").split("\n")
            if not lines[-1]:
                lines.pop()
            numbered = pl.Series("line_number", list(itertools.islice(numbers, len(lines))), pl.Int64)
            yield pl.DataFrame([numbered, pl.Series("line", lines, pl.String)])


def _decoded(stored: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        with ExitStack() as opened:
            yield from _whole_lines(_in_utf8(stored, name, opened))
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        # Of bzip2 it is a plain OSError; others are the store's, and may be over tomorrow.
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile) and str(error) != _NO_BZIP2:
            raise
        # What the library says of it may quote the file.
        raise BadStreamError(f"{name}: it cannot be unpacked, or not to its end; fetch it again") from None


def _in_utf8(stored: BinaryIO, name: str, opened: ExitStack) -> Any:
    """The file in UTF-8 without its mark; what gzip has compressed is unpacked, whatever it is called."""
    whole: Any = stored
    text = opened.enter_context(io.BufferedReader(whole))
    begins_as_gzip = text.peek(2).startswith(_GZIP)
    kind = infer_compression(name)
    packed = gzip.open if begins_as_gzip else compr[kind]
    if packed:
        if kind == "zip" and not begins_as_gzip:
            _check_one_file(text, name)
        unpacked = opened.enter_context(packed(text, mode="rb"))
        text = opened.enter_context(io.BufferedReader(unpacked))
    begin = text.peek(3)
    for mark, encoding in _MARKS.items():
        if begin.startswith(mark):
            text.read(len(mark))
            # UTF-16 is what PowerShell makes of what a consumer prints.
            return codecs.EncodedFile(text, "utf-8", encoding, "replace") if encoding else text
    return text


def _check_one_file(stored: BinaryIO, name: str) -> None:
    with zipfile.ZipFile(stored) as archive:
        held = [one for one in archive.namelist() if not one.endswith("/") and not one.startswith("__MACOSX/")]
    if len(held) != 1:
        raise BadStreamError(f"{name}: it holds {len(held)} files, and one is read; unpack it into a folder")
    stored.seek(0)


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
        configured: what configuration names, beside which ALLOWED_SOURCES alone says what may be read.
        credentials: fsspec's options for addresses that configuration names.
    """

    def __init__(
        self,
        movies: str | None,
        configured: Sequence[str | None] = (),
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        self._movies, self._configured, self._credentials = movies, configured, credentials

    def load(self) -> LineStream:
        """Find the files; the simulated sample is written where nothing else is there.

        Raises:
            BadStreamError: nothing is there.
            NoInputError: nothing is named or there, and this deployment does not train on the sample.
            SourceRefusedError: this deployment does not read it.
        """
        address = stream_address(self._movies)
        place = source(address, self._configured, credentials=self._credentials)
        local = None if "://" in address else Path(address)
        if local is not None and local.parent == sample_folder():
            if not self._movies:
                check_sample_allowed(_PIPELINE, local.name, f"{_PIPELINE}.movies")
            write_sample(sample_folder())
        files = _files(place)
        simulated = local is not None and is_simulated(local if local.is_dir() else local.parent)
        if not simulated:
            note_real(_PIPELINE)
        origin = SIMULATED if simulated else place.shown
        return LineStream(tuple(StreamFile(file, file.name) for file in files), origin, simulated, utc_now())

    def save(self, data: None) -> None:
        """The stream is read, never written."""
        raise NotImplementedError("the stream is read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"movies": shown(self._movies) if self._movies else None}


def utc_now() -> datetime:
    """The present, UTC without a time zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def _files(stream: Source) -> tuple[Source, ...]:
    if not stream.exists():
        raise BadStreamError(f"the stream {stream.shown} is not there; name a file or folder with MOVIES=")
    if not stream.is_folder():
        return (stream,)
    names = stream.children()
    found = [name for name in names if name.endswith((".csv", ".csv.gz")) and not name.endswith(RUNTIMES_FILE)]
    if not found:
        raise BadStreamError(f"{stream.shown} holds no *.csv or *.csv.gz file of a stream; see MOVIES=")
    return tuple(stream.at(name) for name in found)


class RuntimesDataset(AbstractDataset[None, pl.DataFrame]):
    """The table of runtimes: a CSV file with the columns movie_id and runtime_minutes.

    Args:
        movies: the stream; its folder's `movie_runtimes.csv` is the table, where there is one.
        runtimes: file or address of the table instead; it must be there.
        configured: as for `StreamDataset`.
    """

    def __init__(self, movies: str | None, runtimes: str | None, configured: Sequence[str | None] = ()) -> None:
        self._movies, self._runtimes, self._configured = movies, runtimes, configured

    def load(self) -> pl.DataFrame:
        """Columns `pairs.RUNTIMES`, one row per movie; empty where there is no table.

        Raises:
            RuntimesError: the table that was asked for is absent, or a column or number is wrong.
        """
        table = find_runtimes(self._movies, self._runtimes, self._configured)
        return pl.DataFrame(schema=RUNTIMES) if table is None else read_runtimes(table, table.shown)

    def save(self, data: None) -> None:
        """The table is read, never written."""
        raise NotImplementedError("the table of runtimes is read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"runtimes": shown(self._runtimes) if self._runtimes else None}


def find_runtimes(
    movies: str | None,
    runtimes: str | None,
    configured: Sequence[str | None] = (),
    credentials: Mapping[str, Any] | None = None,
) -> Source | None:
    """The table of runtimes, None where there is none.

    Args:
        movies: the stream, as for `StreamDataset`; the table may lie beside it.
        runtimes: the table, where it was named; it must be there.
        configured: as for `StreamDataset`.
        credentials: as for `StreamDataset`.

    Raises:
        RuntimesError: the table that was named is absent.
        BadStreamError: neither a table nor the stream is there.
        SourceRefusedError: this deployment does not read one of them.
    """
    if runtimes:
        table = source(runtimes, configured, credentials=credentials)
        if table.exists():
            return table
        raise RuntimesError(f"the table of runtimes {table.shown} is not there; correct `runtimes`")
    stream = source(stream_address(movies), configured, credentials=credentials)
    beside = stream.at(_beside(stream))
    if beside.exists():
        return beside
    # On another machine than the one that has the stream, "no table" would go unnoticed.
    _files(stream)
    return None


def _beside(stream: Source) -> str:
    address = stream.address
    is_file = address.endswith((".csv", ".gz")) or not stream.is_folder()
    return f"{(address.rpartition('/')[0] if is_file else address).rstrip('/')}/{RUNTIMES_FILE}"


def read_runtimes(table: Source, name: str) -> pl.DataFrame:
    """The table, columns `pairs.RUNTIMES`, one row per movie.

    Raises:
        RuntimesError: a column or number is wrong; the message calls the table by `name`.
    """
    with table.open() as file:
        content = file.read()
    try:
        rows = pl.read_csv(content, infer_schema=False)
    except pl.exceptions.PolarsError:
        # What polars says of it quotes the file.
        raise RuntimesError(
            f"{name}: no CSV table; write one movie_id and its minutes a line, quote ids with commas"
        ) from None
    return _checked(rows, name)


def _checked(table: pl.DataFrame, name: str) -> pl.DataFrame:
    if missing := {"movie_id", "runtime_minutes"} - set(table.columns):
        raise RuntimesError(f"{name}: the columns {sorted(missing)} are missing; the first line must name them")
    minutes = table["runtime_minutes"].str.strip_chars().cast(pl.Float64, strict=False)
    wrong = table.with_row_index("line", offset=2).filter(minutes.is_null() & table["runtime_minutes"].is_not_null())
    if not wrong.is_empty():
        line = wrong["line"][0]
        raise RuntimesError(f"{name}, line {line}: runtime_minutes is no number; write minutes, or leave it empty")
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
