"""Every shape in which a stream comes is read as the same lines `time,user,request`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.pipelines.movie_recommender.stream.parsing import Parsed, parse_lines
from retraining.pipelines.movie_recommender.stream.reading import shape_of, unwrapped

NOW = datetime(2026, 1, 1)
LINES = [
    "2024-09-10T08:39:04,123672,GET /data/m/21+grams+2003/57.mpg",
    "2024-12-07T16:23:49,142095,GET /rate/run,+man,+run+1968=5",
    '2024-12-07T16:23:49,7,GET /rate/the+"real"+thing=4',
    "2024-12-07T16:23:50,8,GET /rate/it's+a+wonderful+life+1946=5",
    '2024-12-07T16:23:51,8,GET /rate/l\'été,+"etc"=5',
    "2024-12-07T16:23:51,9,recommendation request host:8082, status 200, result: a+2000, b,+c+1999, 130 ms",
]


def read(lines: list[str]) -> tuple[str, Parsed]:
    batch = pl.DataFrame({"line_number": range(1, len(lines) + 1), "line": lines}, schema_overrides={"line": str})
    [(shape, table)] = unwrapped([("stream.csv", iter([batch]))], NOW)
    return shape, parse_lines(table, NOW)


def row(*fields: object, **how: object) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="", **how).writerow(fields)
    return out.getvalue()


def printed(line: str) -> str:
    return (
        f"ConsumerRecord(topic='movielog9', partition=0, leader_epoch=0, offset=3, timestamp=1664400000003, "
        f"timestamp_type=0, key=None, value={line.encode()!r}, headers=[], checksum=None, serialized_key_size=-1)"
    )


def java(line: str) -> str:
    return (
        "ConsumerRecord(topic = movielog9, partition = 0, offset = 3, CreateTime = 1664400000003, "
        f"serialized key size = -1, serialized value size = 65, headers = RecordHeaders(), key = null, value = {line})"
    )


def fields(line: str) -> dict[str, object]:
    time, user, request = line.split(",", 2)
    return {"user_id": int(user), "time": time, "request": request, "partition": 0}


WRITTEN: dict[str, tuple[str, Callable[[str], str]]] = {
    "csv writer": ("lines", lambda line: row(*line.split(",", 2))),
    "all quoted": ("lines", lambda line: row(*line.split(",", 2), quoting=csv.QUOTE_ALL) + "\r"),
    "one column": ("lines", row),
    "one column all quoted": ("lines", lambda line: row(line, quoting=csv.QUOTE_ALL)),
    "bytes": ("lines", lambda line: repr(line.encode())),
    "text literal": ("lines", lambda line: repr(line) if '"' in line or "'" not in line else repr(line.encode())),
    "bytes in a column": ("lines", lambda line: row(repr((line + "\n").encode()))),
    "record": ("CSV rows", lambda line: row("t", 0, 1, 1664400000000, 0, "", repr(line.encode()), [], "", -1)),
    "record first": ("CSV rows", lambda line: row(line, 1664400000000, 0, 3)),
    "record last": ("CSV rows", lambda line: row(0, 3, 1664400000000, "k", line)),
    "record semicolons": ("CSV rows", lambda line: row("k", line, 1664400000000, delimiter=";", quoting=csv.QUOTE_ALL)),
    "printed": ("printed", printed),
    "printed java": ("printed", java),
    "console": ("tab", lambda line: f"CreateTime:1664400000000\tPartition:0\tOffset:3\tnull\t{line}"),
    "json fields": ("JSON lines (time, user_id, request)", lambda line: json.dumps(fields(line))),
    "json payload": (
        "JSON lines (payload)",
        lambda line: json.dumps({"topic": "t", "ts": 1664400000000, "payload": line}),
    ),
    "json value": ("JSON lines (value)", lambda line: json.dumps({"timestamp": 1, "value": line}, ensure_ascii=False)),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_each_shape_is_read_as_the_plain_lines_are(name: str) -> None:
    said, write = WRITTEN[name]
    plain = read(LINES)[1]
    shape, parsed = read([write(line) for line in LINES])
    assert shape.startswith(said)
    assert parsed.rejects.is_empty()
    assert parsed.events.rows() == plain.events.rows()
    assert (parsed.counts["recommendation_requests"], parsed.events.height) == (1, 5)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_malformed_line_in_any_shape_is_rejected_as_it_stands(name: str) -> None:
    _, write = WRITTEN[name]
    bad = [write("2024-12-07T16:23:49,7,GET /rate/a=9"), "nonsense", "", '{"', 'b"', '"', "b'\\x'"]
    _, parsed = read([*(write(line) for line in LINES), *bad])
    assert parsed.rejects["line"].to_list() == bad
    assert parsed.rejects["line_number"].to_list() == list(range(7, 14))
    assert parsed.rejects["reason"][0] == "rating"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LINES[0], "lines time,user,request"),
        (row(*LINES[1].split(",", 2)), "lines time,user,request, in quotes"),
        ("2024-09-10 08:39:04-03:00,7,GET /rate/a=3", "lines time,user,request, times with a UTC offset"),
        (repr(b"1728920559123,7,GET /rate/a=3"), "lines time,user,request, in quotes, Unix times"),
    ],
)
def test_a_shape_says_what_is_converted(line: str, said: str) -> None:
    shape, parsed = read([line])
    assert (shape, parsed.events.height) == (said, 1)


def test_quoted_lines_after_the_first_thousand_are_read() -> None:
    lines = [LINES[0]] * 1500 + [WRITTEN["csv writer"][1](line) for line in LINES]
    assert read(lines)[1].rejects.is_empty()


def test_the_files_of_a_folder_may_have_several_shapes() -> None:
    def batches(write: Callable[[str], str]):
        yield pl.DataFrame({"line_number": range(6), "line": [write(line) for line in LINES]})

    files = [(name, batches(write)) for name, (_, write) in WRITTEN.items()]
    tables = [parse_lines(table, NOW) for _, table in unwrapped(files, NOW)]
    assert [table.events.height for table in tables] == [5] * len(WRITTEN)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1), min_size=1, max_size=8),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_whatever_a_csv_writer_quotes_comes_back(movies: list[str], quoting: int) -> None:
    stamp, user = "2024-09-10T08:39:04", 7
    requests = [f"GET /rate/{movie}=3" for movie in movies]
    plain = read([f"{stamp},{user},{request}" for request in requests])[1]
    quoted = read([row(stamp, user, request, quoting=quoting) for request in requests])[1]
    assert quoted.events.rows() == plain.events.rows()
    assert quoted.rejects["reason"].to_list() == plain.rejects["reason"].to_list()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters='"\n', exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_lines_of_the_plain_shape_are_passed_on_as_they_are(lines: list[str]) -> None:
    lines = [LINES[0], *(f"2024-09-10T08:39:04,7,{line}" for line in lines)]
    batch = pl.DataFrame({"line_number": range(len(lines)), "line": lines})
    [(_, table)] = unwrapped([("stream.csv", iter([batch]))], NOW)
    assert table["payload"].to_list() == lines


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("p4ssw0rd Geheim,é=/7", "a9a9a a,?=/9"),
        ("  ", "of an empty line"),
        ("\x1b[31mred", "?[9a"),
    ],
)
def test_a_shape_tells_no_content(line: str, shape: str) -> None:
    assert shape_of(line) == shape
