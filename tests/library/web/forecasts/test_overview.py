"""What the overview table shows for a query."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from tests.fixtures.stored_forecasts import overview
from tracked_kedro.web.forecasts.overview import PAGE_SIZE, prepared, select
from tracked_kedro.web.forecasts.query import Query, Range, Where

CUTOFF = date(2019, 11, 1)


def table(count: int) -> pl.DataFrame:
    return prepared(overview([f"s{place}" for place in range(count)], CUTOFF, {}))


def series(stored: pl.DataFrame, **asked: str) -> list[str]:
    return [row["series"] for row in select(stored, Query.of(asked)).rows]


def test_one_word_says_what_a_person_is_to_know():
    states = {row["series"]: row["state"] for row in table(5).to_dicts()}
    assert states == {"s0": "finished", "s1": "finished", "s2": "stale", "s3": "degraded", "s4": "quarantined"}


@pytest.mark.parametrize(
    ("inside", "word"),
    [(5 / 12, "doubtful"), (6 / 12, "doubtful"), (7 / 12, "finished"), (1.0, "finished"), (None, "finished")],
)
def test_an_interval_that_held_few_months_is_not_plainly_fine(inside: float | None, word: str):
    stored = overview(["a", "b", "c", "d"], CUTOFF, {}).with_columns(pl.lit(inside, pl.Float64).alias("coverage_80"))
    assert prepared(stored)["state"].to_list() == [word, "stale", "degraded", "quarantined"]


def test_what_a_partial_run_left_out_is_carried_over_whatever_else_is_said_of_it():
    stored = overview(["a", "b"], CUTOFF, {}).with_columns(status=pl.lit("carried_over"), stale=True)
    assert prepared(stored)["state"].to_list() == ["carried over", "carried over"]


def test_a_table_without_the_optional_columns():
    stored = overview(["a"], CUTOFF, {}).drop("reason", "degraded", "stale", "label")
    (row,) = select(prepared(stored), Query()).rows
    assert (row["label"], row["reason"], row["state"]) == (
        "a",
        None,
        "quarantined" if row["status"] != "finished" else "",
    )


@pytest.mark.parametrize("text", ["belem", "BELÉM", " <b> belém "])
def test_search_knows_no_accents_and_no_case(text: str):
    assert series(table(5), q=text) == ["s0"]


@pytest.mark.parametrize("text", ["s3", "serie 00003", ".", "nothing like that"])
def test_search_takes_words_as_they_are(text: str):
    assert series(table(5), q=text) == (["s3"] if "3" in text else [])


def test_states_are_counted_and_chosen():
    stored = table(60)
    page = select(stored, Query.of({"state": "attention"}))
    assert page.states == {"quarantined": 1, "stale": 1, "degraded": 1, "finished": 57}
    assert [row["state"] for row in page.rows] == ["stale", "degraded", "quarantined"]
    assert series(stored, state="stale") == ["s57"]


@pytest.mark.parametrize("order", ["", "desc"])
def test_sorted_with_unknown_values_last(order: str):
    page = select(table(12), Query.of({"sort": "rmse", "order": order}))
    values = [row["rmse"] for row in page.rows]
    assert values[-1] is None
    assert values[:-1] == sorted(values[:-1], reverse=bool(order))


def test_sorted_by_status_what_needs_attention_comes_first():
    assert series(table(6), sort="state")[:3] == ["s5", "s3", "s4"]


def test_pages():
    stored = table(2 * PAGE_SIZE + 3)
    last = select(stored, Query.of({"page": "3"}))
    assert (len(last.rows), last.number, last.pages, last.found, last.first) == (3, 3, 3, 2 * PAGE_SIZE + 3, 101)
    assert select(stored, Query.of({"page": "99"})).number == 3
    seen = [row["series"] for number in "123" for row in select(stored, Query.of({"page": number})).rows]
    assert seen == stored["series"].to_list()


@pytest.mark.parametrize(
    "asked",
    [
        {"page": "-1"},
        {"page": "x"},
        {"sort": "child_run_id"},
        {"state": "<script>"},
        {"page": "9" * 30},
        *({"skill": text} for text in ("0.1", ":", "a:b", "nan:1", "0:inf", "0:" + "9" * 400)),
        *({"where": text} for text in ("region", ":north", "")),
    ],
)
def test_what_cannot_be_is_as_if_not_asked(asked: dict[str, str]):
    assert Query.of(asked) == Query()


def test_addresses_keep_what_was_asked():
    query = Query.of({"q": "são", "sort": "rmse", "order": "desc", "page": "3"})
    assert query.address("2019-10", page=4) == "?month=2019-10&q=s%C3%A3o&sort=rmse&order=desc&page=4"
    assert query.address(None, sort="label", descending=False) == "?q=s%C3%A3o&sort=label"
    narrow = Query(ranges=(Range("skill", None, -0.1),), where=(Where("region", "north: a"),), by="region")
    assert narrow.address(None) == "?skill=%3A-0.1&where=region%3Anorth%3A+a&by=region"
    assert Query.of({"skill": ":-0.1", "where": "region:north: a", "by": "region"}) == narrow


def test_intervals_and_added_columns():
    stored = table(24)
    lowest = series(stored, skill=":-0.1")
    assert lowest == [row["series"] for row in stored.to_dicts() if (row["skill_vs_seasonal_naive"] or 0) < -0.1]
    assert len(lowest) == 3
    assert "s0" in series(stored, skill="-0.15:-0.1"), "its lower end belongs to an interval"
    assert "s0" not in series(stored, skill=":-0.15"), "its upper end does not"
    assert len(series(stored, where="region:south")) == 8
    for column in ("nothing", "state", "key", "age_months"):
        assert len(series(stored, where=f"{column}:south")) == 24, column


def test_an_empty_table():
    page = select(table(1).clear(), Query())
    assert (page.rows, page.found, page.pages) == ([], 0, 1)
