"""The overview table: search, filter, sort and page, all on the server."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import polars as pl

from tracked_kedro.web.forecasts.query import RANGES, Query
from tracked_kedro.web.forecasts.states import ATTENTION, STATES, state

PAGE_SIZE = 50
_LONGEST_KEY = 200
#: Columns that `prepared` adds to the stored ones.
ADDED = ("state", "key")


@dataclass(frozen=True)
class Page:
    """One page of the table.

    Attributes:
        rows: what is shown, as dictionaries.
        found: how many rows the query has.
        states: how many rows of the whole table are in each state.
    """

    rows: list[dict[str, Any]]
    found: int
    number: int
    pages: int
    states: dict[str, int]

    @property
    def first(self) -> int:
        """Number of the first row shown, from 1."""
        return (self.number - 1) * PAGE_SIZE + 1


def prepared(table: pl.DataFrame) -> pl.DataFrame:
    """The stored table with a column `state`, one word of what a person is to know, and a `key` to search in.

    Args:
        table: `forecasts/overview.parquet`.
    """
    optional = {"reason": pl.String, "degraded": pl.Boolean, "stale": pl.Boolean, "label": pl.String}
    for name, kind in optional.items():
        if name not in table.columns:
            table = table.with_columns(pl.lit(None, kind).alias(name))
    label = pl.coalesce("label", "series")
    keys = [plain(f"{one} {series}") for one, series in table.select(label, "series").rows()]
    return table.with_columns(state().alias("state"), label.alias("label"), pl.Series("key", keys, dtype=pl.String))


def filtered(table: pl.DataFrame, query: Query, but: str = "") -> pl.DataFrame:
    """The rows of a prepared table that a query asks for, in the table's order.

    Args:
        table: a prepared one.
        query: what was asked.
        but: "state", or a name of `RANGES`, of which it is as if nothing was asked.
    """
    for word in plain(query.text).split():
        table = table.filter(pl.col("key").str.contains(word, literal=True))
    if query.state and but != "state":
        table = table.filter(pl.col("state").is_in(ATTENTION if query.state == "attention" else [query.state]))
    for one in query.ranges:
        column = pl.col(RANGES[one.name])
        if one.name != but and one.low is not None:
            table = table.filter(column >= one.low)
        if one.name != but and one.high is not None:
            table = table.filter(column < one.high)
    for name, value in query.where:
        if name in table.columns and table.schema[name] == pl.String and name not in ADDED:
            table = table.filter(pl.col(name).fill_null("") == value)
    return table


def select(table: pl.DataFrame, query: Query) -> Page:
    """The page that a query asks for, from a prepared table."""
    states = dict(table.group_by("state").len().rows())
    found = _sorted(filtered(table, query), query)
    pages = max(1, -(-found.height // PAGE_SIZE))
    number = min(max(1, query.page), pages)
    rows = found.slice((number - 1) * PAGE_SIZE, PAGE_SIZE).to_dicts()
    return Page(rows, found.height, number, pages, {one: states[one] for one in STATES if one in states})


def _sorted(table: pl.DataFrame, query: Query) -> pl.DataFrame:
    if not query.sort or query.sort not in table.columns:
        return table
    by = pl.col(query.sort)
    if query.sort == "label":
        by = pl.col("key")
    elif query.sort == "state":
        by = by.replace_strict({one: place for place, one in enumerate(STATES)}, return_dtype=pl.Int8)
    return table.sort(by, descending=query.descending, nulls_last=True, maintain_order=True)


def plain(text: str) -> str:
    """Lower case without accents, so that "belem" finds "Belém"; of a long text the beginning."""
    text = text[:_LONGEST_KEY]
    if text.isascii():
        return text.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
