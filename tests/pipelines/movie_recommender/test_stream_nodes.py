"""Nodes that read the stream: cutoff, counts, and the errors that stop a run."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from retraining.pipelines.movie_recommender.recommender.errors import (
    BadStreamError,
    CutoffError,
    NothingToReadError,
    TooManyRejectsError,
)
from retraining.pipelines.movie_recommender.stream.nodes import list_rejects, process_kafka, settle_cutoff

GOOD = [f"2024-0{month}-15T10:00,{month},GET /rate/a+2000=4" for month in (1, 2, 3, 4)]


@dataclass
class Lines:
    """A stream of given batches."""

    batches: list[list[str]]
    read_at: datetime = datetime(2024, 6, 10, 12)
    origin: str = "here"
    simulated: bool = False
    read: list[int] = field(default_factory=list)

    def by_file(self):
        return [("stream.csv", self._batches())]

    def _batches(self):
        number = 1
        for at, batch in enumerate(self.batches):
            self.read.append(at)
            yield pl.DataFrame({"line_number": range(number, number + len(batch)), "line": batch})
            number += len(batch)


def processed(stream: Lines, cutoff: Any = None, start: Any = None, share: float = 0.5):
    return list(process_kafka(stream, cutoff, start, share, {}))


def test_parts_come_batch_by_batch_with_a_running_summary() -> None:
    made = processed(Lines([GOOD[:2], ["bad", *GOOD[2:]]]))
    assert [(list(events), list(rejects)) for events, rejects, _ in made] == [
        (["part-00000"],) * 2,
        (["part-00001"],) * 2,
    ]
    assert made[1][1]["part-00001"].rows() == [(3, "fields", "bad")]
    first, last = made[0][2], made[1][2]
    assert (first["counts"]["lines"], last["counts"]["lines"], last["counts"]["rejected"]) == (2, 5, 1)
    assert (first["cutoff"], last["cutoff"], last["month"]) == ("2024-03-01", "2024-05-01", "2024-04")
    assert (last["first"], last["last"], last["origin"]) == ("2024-01-15T10:00:00", "2024-04-15T10:00:00", "here")


def test_no_more_than_one_batch_is_read_ahead() -> None:
    stream = Lines([GOOD[:1], GOOD[1:2], GOOD[2:]])
    next(process_kafka(stream, None, None, 0.5, {}))
    assert stream.read == [0]


@pytest.mark.parametrize("cutoff", ["2024-03-01", date(2024, 3, 1)])
def test_nothing_on_or_after_the_cutoff_is_read(cutoff: Any) -> None:
    edge = ["2024-02-29T23:59:59,8,GET /rate/a=4", "2024-03-01T00:00,9,GET /rate/a=4"]
    ((events, _, summary),) = processed(Lines([GOOD + edge]), cutoff)
    assert events["part-00000"]["user"].to_list() == [1, 2, 8]
    assert (summary["counts"]["events"], summary["counts"]["after_cutoff"]) == (3, 3)
    assert (summary["cutoff"], summary["month"]) == ("2024-03-01", "2024-02")


def test_nothing_before_the_history_is_read() -> None:
    ((events, _, summary),) = processed(Lines([GOOD]), None, "2024-02-01")
    assert events["part-00000"]["user"].to_list() == [2, 3, 4]
    assert summary["counts"]["before_history"] == 1


def test_the_unfinished_month_is_never_read() -> None:
    now = "2024-06-05T10:00,7,GET /rate/a=4"
    ((events, _, _),) = processed(Lines([[*GOOD, now]]))
    assert events["part-00000"]["user"].to_list() == [1, 2, 3, 4]
    assert settle_cutoff(Lines([[*GOOD, now]]), None) == "2024-06-01"
    for call in (lambda: settle_cutoff(Lines([GOOD]), "2024-07-01"), lambda: processed(Lines([GOOD]), "2024-07-01")):
        with pytest.raises(CutoffError, match="cutoff 2024-07-01 is in the future: 2024-06-01 is the latest"):
            call()


def test_the_cutoff_is_the_month_after_the_newest_event() -> None:
    assert settle_cutoff(Lines([GOOD[:2], GOOD[2:]]), None) == "2024-05-01"
    assert settle_cutoff(Lines([["2023-12-31T23:59,1,GET /rate/a=3"]]), None) == "2024-01-01"


def test_a_cutoff_that_was_given_is_checked_against_no_more_lines_than_needed() -> None:
    stream = Lines([GOOD[:1], GOOD[1:2], GOOD[2:]])
    assert settle_cutoff(stream, "2024-02-01") == "2024-02-01"
    assert stream.read == [0]


@pytest.mark.parametrize(
    ("times", "cutoff", "message"),
    [
        (
            ["2024-06-02T10:00"],
            None,
            "before 2024-06-01: its first time is 2024-06-02, in the unfinished .* 2024-07-01",
        ),
        (["2024-06-30T23:00-03:00"], None, "2024-07-01, in the future; it can be read from 2024-08-01 on"),
        (
            ["2025-12-02T10:00", "2025-11-02T10:00"],
            None,
            "2025-11-02, in the future; it can be read from 2025-12-01 on",
        ),
        (["2024-03-02T10:00", "2024-04-02T10:00"], "2024-03-01", "choose the cutoff 2024-04-01 or a later one"),
        (["2024-06-02T10:00"], "2024-03-01", "unfinished .* 2024-07-01"),
        ([], None, "the stream is empty"),
        ([], "2024-03-01", "the stream is empty"),
    ],
)
def test_a_dump_with_nothing_before_the_cutoff_is_refused_with_the_first_day(
    times: list[str], cutoff: str | None, message: str
) -> None:
    lines = [f"{time},1,GET /rate/a=3" for time in times]
    with pytest.raises(NothingToReadError, match=message):
        settle_cutoff(Lines([lines] if lines else []), cutoff)


@pytest.mark.parametrize("cutoff", [None, "2024-03-01"])
def test_a_stream_of_no_known_shape_is_refused_without_its_content(cutoff: str | None) -> None:
    for call in (settle_cutoff, lambda stream, cutoff: processed(stream, cutoff)):
        with pytest.raises(
            BadStreamError, match=r"stream\.csv: no line has a time .* shape a9a9a a: a\. What"
        ) as caught:
            call(Lines([["c4n4ry secret: password", ""]]), cutoff)
        assert "secret" not in str(caught.value)


def test_a_summary_says_the_shapes() -> None:
    assert processed(Lines([GOOD]))[0][2]["shapes"] == ["lines time,user,request"]


def test_too_many_rejects_fail_after_all_is_kept() -> None:
    stream = Lines([GOOD, ["bad", "2024-13-01T00:00,1,GET /rate/a=3", "worse"]])
    made = process_kafka(stream, None, None, 0.4, {})
    kept = [next(made), next(made)]
    assert kept[1][1]["part-00001"].height == 3
    with pytest.raises(TooManyRejectsError) as caught:
        next(made)
    message = str(caught.value)
    assert "3 of 7 lines are malformed (42.9%), more than max_reject_share 40.0% allows: fields 2, time 1" in message
    assert "First of each: fields: line 5; time: line 6. " in message
    assert "raise movie_recommender.max_reject_share" in message


def test_the_allowed_share_is_allowed() -> None:
    assert len(processed(Lines([[*GOOD, "bad"]]), share=0.2)) == 1


@pytest.mark.parametrize(
    ("lines", "cutoff", "message"),
    [
        (GOOD, "2024-01-01", r"4 lines hold no view or rating before the cutoff 2024-01-01; 4 are dated on or after"),
        ([], None, r"0 lines hold no view or rating before the cutoff 2024-06-01; see MOVIES="),
        (["2024-01-01T00:00,1,recommendation request x"], None, r"1 lines hold no view or rating"),
    ],
)
def test_a_stream_without_events_is_refused(lines: list[str], cutoff: str | None, message: str) -> None:
    with pytest.raises(NothingToReadError, match=message):
        processed(Lines([lines] if lines else []), cutoff)


def test_the_first_rejects_are_listed_up_to_a_limit() -> None:
    part = pl.DataFrame({"line_number": range(700), "reason": ["time"] * 700, "line": ["x"] * 700})
    listed = list_rejects({"part-1": lambda: part, "part-0": lambda: part[:600], "part-2": lambda: part})
    assert listed.height == 1000
    assert listed["line_number"][599:601].to_list() == [599, 0]
