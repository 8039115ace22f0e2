"""Which shape the lines of a stream's files have: told by their first lines, or refused."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import polars as pl

from retraining.pipelines.movie_recommender.recommender.errors import BadStreamError
from retraining.pipelines.movie_recommender.stream.parsing import parse_lines, payload_times
from retraining.pipelines.movie_recommender.stream.shapes import PLAIN, RECORDS, Shape

log = logging.getLogger(__name__)

#: So many lines of a file tell its shape.
SAMPLE = 1000
#: What can be read, for whoever brings something else.
KNOWN = (
    "lines `time,user,request`, plain, as a CSV writer quotes them, or as bytes literals; rows of CSV, tab-separated "
    "rows or printed ConsumerRecords of which one field holds such a line; JSON lines with that line in value, payload "
    "or message, or with the keys time, user and request. Times: ISO 8601 with or without offset, or Unix seconds, "
    "milli-, micro- or nanoseconds"
)
_TIMES = {"times with a UTC offset": r":\d\d(?:\.\d+)? *[+-]\d\d", "Unix times": r"^\d{10}(?:\d*|\.\d+)$"}
_LINE_KEYS = ("value", "payload", "message", "line")
_TIME_KEYS = ("time", "timestamp", "ts", "event_time", "datetime")
_USER_KEYS = ("user", "user_id", "userid", "userId", "uid")
_REQUEST_KEYS = ("request", "req", "path", "url")


def unwrapped(
    files: Iterable[tuple[str, Iterator[pl.DataFrame]]], read_at: datetime
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Batches with the column `payload`, and the name of their shape; the first lines of each file tell it.

    Args:
        files: names, and batches with the columns `line_number` and `line`.
        read_at: as for `parse_lines`.

    Raises:
        BadStreamError: a file has no known shape, or not one of its times can be read.
    """
    for name, batches in files:
        shape = None
        for lines in batches:
            shape = shape or _detected(name, lines, read_at)
            yield shape.name, shape.unwrap(lines)


def _detected(name: str, lines: pl.DataFrame, read_at: datetime) -> Shape:
    for sample in (lines.head(SAMPLE), lines):
        scores = [(shape, *_score(shape, sample, read_at)) for shape in (PLAIN, *RECORDS, *_json(sample))]
        best = max(scores, key=lambda score: score[1:])
        if best[2]:
            shape = replace(best[0], name=_said(best[0], sample))
            log.info("Stream: %s is read as %s", name, shape.name)
            return shape
    first = shape_of(lines["line"][0])
    raise BadStreamError(
        f"{name}: no line has a time that can be read; line 1 has the shape {first}. What can be read: {KNOWN}"
    )


def _said(shape: Shape, sample: pl.DataFrame) -> str:
    """The shape's name, with what else is converted in the sample."""
    table = shape.unwrap(sample)
    parts = [shape.name]
    if shape == PLAIN and (table["payload"] != table["line"]).any():
        parts.append("in quotes")
    stamps = table["payload"].str.extract(r"^([^,]*),")
    parts += [said for said, pattern in _TIMES.items() if stamps.str.contains(pattern).any()]
    return ", ".join(parts)


def _score(shape: Shape, sample: pl.DataFrame, read_at: datetime) -> tuple[int, int]:
    """How many lines are good, and how many have a time."""
    payload = shape.unwrap(sample)
    counts = parse_lines(payload, read_at).counts
    return counts["lines"] - counts["rejected"], payload_times(payload).len()


def _json(sample: pl.DataFrame) -> list[Shape]:
    """The ways in which objects of these keys may hold a line."""
    keys: set[str] = set()
    for line in sample["line"].head(SAMPLE):
        if line.lstrip().startswith("{"):
            try:
                keys |= json.loads(line).keys()
            except (ValueError, RecursionError):
                continue
    whole = [(key,) for key in _LINE_KEYS if key in keys]
    fields = [next((key for key in names if key in keys), None) for names in (_TIME_KEYS, _USER_KEYS, _REQUEST_KEYS)]
    found = [*whole, tuple(key for key in fields if key)] if all(fields) else whole
    return [Shape(f"JSON lines ({', '.join(one)})", keys=one) for one in found]


def shape_of(line: str) -> str:
    """A line's shape, which tells nothing of its content: runs of digits as 9, of letters as a, of bytes outside as ?.

    >>> shape_of("2024-09-10 08:39,u12,GET /rate/é")
    '9-9-9 9:9,a9,a /a/?'
    """
    if not line.strip():
        return "of an empty line"
    text = re.sub(r"[A-Za-z]+", "a", re.sub(r"\d+", "9", line[:300].strip(), flags=re.ASCII))
    return re.sub(r"[^\x20-\x7e]+", "?", text)[:80]
