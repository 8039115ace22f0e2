"""What becomes of each kind of line of a Kafka dump."""

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.pipelines.movie_recommender.stream.parsing import (
    EVENTS,
    REASONS,
    REJECTS,
    Parsed,
    parse_lines,
    payload_times,
)

NOW = datetime(2026, 1, 1)
VIEW = "2024-09-10T08:39:04,123672,GET /data/m/21+grams+2003/57.mpg"
RATING = "2024-12-07T16:23:49,142095,GET /rate/the+usual+suspects+1995=5"


def parsed(*lines: str, first: int = 1) -> Parsed:
    numbers = range(first, first + len(lines))
    return parse_lines(pl.DataFrame({"line_number": numbers, "line": list(lines)}, schema_overrides={"line": str}), NOW)


def test_a_view_and_a_rating() -> None:
    result = parsed(VIEW, RATING)
    assert result.events.schema == EVENTS
    assert result.events.rows() == [
        (datetime(2024, 9, 10, 8, 39, 4), 123672, "21+grams+2003", 57, None),
        (datetime(2024, 12, 7, 16, 23, 49), 142095, "the+usual+suspects+1995", None, 5),
    ]
    assert result.rejects.schema == REJECTS
    assert result.rejects.is_empty()
    assert (result.counts["lines"], result.counts["views"], result.counts["ratings"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("stamp", "read"),
    [
        ("2024-09-10T08:40", datetime(2024, 9, 10, 8, 40)),  # the seconds are dropped where they are :00
        ("2024-10-14T15 :42:39", datetime(2024, 10, 14, 15, 42, 39)),
        ("2024-10-14T15:42:39Z", datetime(2024, 10, 14, 15, 42, 39)),
        ("2024-10-14T15:42:39.123", datetime(2024, 10, 14, 15, 42, 39)),
        ("2024-02-29T00:00:00", datetime(2024, 2, 29)),
        ("2024-10-14T15:42:39+00:00", datetime(2024, 10, 14, 15, 42, 39)),
        ("2024-10-14T23:42:39.5-03:00", datetime(2024, 10, 15, 2, 42, 39)),
        ("2024-10-14T15:42:39+0530", datetime(2024, 10, 14, 10, 12, 39)),
        ("2024-10-14 15:42-03", datetime(2024, 10, 14, 18, 42)),
        ("2024-10-14 15:42:39 UTC", datetime(2024, 10, 14, 15, 42, 39)),
        ("1728920559", datetime(2024, 10, 14, 15, 42, 39)),
        ("1728920559.25", datetime(2024, 10, 14, 15, 42, 39)),
        ("1728920559123", datetime(2024, 10, 14, 15, 42, 39)),
        ("1728920559123456", datetime(2024, 10, 14, 15, 42, 39)),
    ],
)
def test_times_that_are_accepted(stamp: str, read: datetime) -> None:
    assert parsed(f"{stamp},1,GET /rate/a=3").events["time"].to_list() == [read]


@pytest.mark.parametrize(
    ("movie", "read"),
    [
        ("the+awful+truth+", "the+awful+truth+"),  # no year
        ("flesh++blood+1985", "flesh++blood+1985"),
        ("run,+man,+run+1968", "run,+man,+run+1968"),
        ("run%2C+man%2C+run+1968", "run,+man,+run+1968"),
        ("am%C3%A9lie+2001", "amélie+2001"),
        ("amélie+2001", "amélie+2001"),
        ("the +shawshank+redemption+1994", "the+shawshank+redemption+1994"),
        ("tBoy+story+3+2010", "tBoy+story+3+2010"),
        ("bat*21+1988", "bat*21+1988"),
        ("a=b/1.mpg+2000", "a=b/1.mpg+2000"),
        ("100%", "100%"),
    ],
)
def test_movie_ids(movie: str, read: str) -> None:
    both = parsed(f"2024-09-10T08:40,1,GET /rate/{movie}=3", f"2024-09-10T08:40,1,GET /data/m/{movie}/7.mpg")
    assert both.events["movie"].to_list() == [read, read]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "fields"),
        ("2024-09-10T08:39:04", "fields"),
        ("2024-09-10T08:39:04,123672", "fields"),
        (VIEW.replace("grams", "gr\N{REPLACEMENT CHARACTER}ms"), "encoding"),
        ("2024-170-14T15:34:12,49623,GET /rate/rude+awakening+1989=2", "time"),
        ("2024-10-14T16G:55:12,484541,GET /rate/el+dorado+1988=4", "time"),
        ("2024-02-30T15:34:12,1,GET /rate/a=2", "time"),
        ("2024-10-14T25:00,1,GET /rate/a=2", "time"),
        ("2024-10-14T15:00+19:00,1,GET /rate/a=2", "time"),
        ("2024-10-14T15:00+00:75,1,GET /rate/a=2", "time"),
        ("17289205591,1,GET /rate/a=2", "time"),
        ("1924-10-14T15:34:12,1,GET /rate/a=2", "time"),
        ("2926-10-14T15:34:12,1,GET /rate/a=2", "time"),  # later than the reading
        ("23:48,350991,GET /rate/the+lives+of+others+2006=4", "time"),  # its head cut off
        ("2024-10-14T15:34:12,u7,GET /rate/a=2", "user"),
        ("2024-10-14T15:34:12,-7,GET /rate/a=2", "user"),
        ("2024-10-14T15:34:12,,GET /rate/a=2", "user"),
        ("2024-10-14T15:34:12,1234567890123456789,GET /rate/a=2", "user"),
        ("2024-10-14T15:34:12,1,GET /health", "request"),
        ("2024-10-14T15:34:12,1,POST /rate/a=2", "request"),
        ("2024-10-14T15:34:12,1,GET /rate/the+lives+of+oth", "request"),  # its tail cut off
        ("2024-10-14T15:34:12,1,GET /rate/a+2000=", "request"),
        ("2024-10-14T15:34:12,1,GET /rate/=3", "request"),
        ("2024-10-14T15:34:12,1,GET /data/m/a+2000/12", "request"),
        ("2024-10-14T15:34:12,1,GET /data/m/a+2000/x.mpg", "request"),
        ("2024-10-14T15:34:12,1,GET /data/m//3.mpg", "request"),
        ("2024-10-14T15:34:12,1,", "request"),
        ("2024-10-14T15:34:12,1,GET /rate/a%0Ab=2", "movie"),
        ("2024-10-14T15:34:12,1,GET /data/m/a/1441.mpg", "minute"),
        ("2024-10-14T15:34:12,1,GET /data/m/a/99999999999.mpg", "minute"),
        ("2024-12-07T15:37:42,354526,GET /rate/a+2000=15", "rating"),
        ("2024-12-07T15:37:42,354526,GET /rate/a+2000=0", "rating"),
        ("2024-12-07T15:37:42,354526,GET /rate/a+2000=6", "rating"),
        ("2024-12-07T15:37:42,354526,GET /rate/a+2000=3.5", "rating"),
        ("2024-12-07T15:37:42,354526,GET /rate/a+2000=five", "rating"),
    ],
)
def test_malformed_lines_are_rejected_with_number_and_reason(line: str, reason: str) -> None:
    result = parsed(RATING, line, VIEW, first=41)
    assert result.rejects.rows() == [(42, reason, line)]
    assert result.events.height == 2
    assert {name: count for name, count in result.counts.items() if name.startswith("rejected") and count} == {
        "rejected": 1,
        f"rejected.{reason}": 1,
    }


def test_recommendation_requests_are_known_and_counted() -> None:
    request = "recommendation request 17645-team01.isri.cmu.edu:8082, status 200, result: a+2000, b,+c+1999, 130 ms"
    result = parsed(f"2024-10-14T15:34:12,1,{request}")
    assert result.events.is_empty()
    assert result.rejects.is_empty()
    assert (result.counts["recommendation_requests"], result.counts["blanks_removed"]) == (1, 0)


def test_what_was_mended_is_counted() -> None:
    counts = parsed(VIEW, VIEW.replace("T08:", "T08 :"), "2024-09-10T08:40,1,GET /rate/a=3", RATING + "\r").counts
    assert (counts["blanks_removed"], counts["seconds_dropped"], counts["rejected"]) == (1, 1, 0)


def test_a_long_reject_is_kept_shortened() -> None:
    (kept,) = parsed("x" * 10_000).rejects["line"]
    assert kept == "x" * 300


def test_the_times_of_a_batch_are_not_older_than_1970() -> None:
    table = pl.DataFrame({"payload": [VIEW, "1924-01-01T00:00:00,1,GET /rate/a=3", "nonsense", ""]})
    assert payload_times(table).to_list() == [datetime(2024, 9, 10, 8, 39, 4)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(),
            st.sampled_from([VIEW, RATING]).flatmap(
                lambda line: st.integers(0, len(line)).map(lambda at: line[:at] + line[at + 1 :])
            ),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_every_line_is_an_event_a_reject_or_a_recommendation_request_exactly_once(lines: list[str]) -> None:
    result = parsed(*lines)
    counts = result.counts
    assert counts["lines"] == len(lines)
    assert counts["rejected"] == result.rejects.height == sum(counts[f"rejected.{reason}"] for reason in REASONS)
    assert counts["views"] + counts["ratings"] == result.events.height
    assert counts["views"] + counts["ratings"] + counts["recommendation_requests"] + counts["rejected"] == len(lines)
    assert result.events["rating"].drop_nulls().is_between(1, 5).all()
    assert not result.events["movie"].is_null().any()
