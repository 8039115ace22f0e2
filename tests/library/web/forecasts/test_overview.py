"""What the overview table shows for a query."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from tests.fixtures.stored_forecasts import overview
from tracked_kedro.web.forecasts.overview import PAGE_SIZE, Query, prepared, select

CUTOFF = date(2019, 11, 1)


def table(count: int, promoted: bool = False) -> pl.DataFrame:
    return prepared(overview([f"s{place}" for place in range(count)], CUTOFF, {}), promoted)


def series(stored: pl.DataFrame, **asked: str) -> list[str]:
    return [row["series"] for row in select(stored, Query.of(asked)).rows]


def test_one_word_says_what_a_person_is_to_know():
    states = {row["series"]: row["state"] for row in table(5, promoted=True).to_dicts()}
    assert states == {"s0": "promoted", "s1": "promoted", "s2": "stale", "s3": "degraded", "s4": "quarantined"}
    assert table(5)["state"][0] == "finished"


def test_a_table_without_the_optional_columns():
    stored = overview(["a"], CUTOFF, {}).drop("reason", "degraded", "stale", "label")
    (row,) = select(prepared(stored, False), Query()).rows
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
    "asked", [{"page": "-1"}, {"page": "x"}, {"sort": "child_run_id"}, {"state": "<script>"}, {"page": "9" * 30}]
)
def test_what_cannot_be_is_as_if_not_asked(asked: dict[str, str]):
    assert Query.of(asked) == Query()


def test_addresses_keep_what_was_asked():
    query = Query.of({"q": "são", "sort": "rmse", "order": "desc", "page": "3"})
    assert query.address("2019-10", page=4) == "?month=2019-10&q=s%C3%A3o&sort=rmse&order=desc&page=4"
    assert query.address(None, sort="label", descending=False) == "?q=s%C3%A3o&sort=label"


def test_an_empty_table():
    page = select(table(1).clear(), Query())
    assert (page.rows, page.found, page.pages) == ([], 0, 1)
