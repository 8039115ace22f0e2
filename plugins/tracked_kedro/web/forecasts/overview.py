"""The overview table: search, filter, sort and page, all on the server."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import polars as pl

PAGE_SIZE = 50
_LONGEST_KEY = 200

#: Columns that can be sorted by, and what they are called.
SORTABLE = {
    "label": "Series",
    "next_mean": "Next month",
    "last_observation": "Last observation",
    "rmse": "RMSE",
    "skill_vs_seasonal_naive": "Skill",
    "coverage_80": "In 80 %",
    "state": "Status",
}
#: What is to be looked at first stands first when the table is sorted by status.
STATES = ("failed", "quarantined", "stale", "degraded", "carried over", "promoted", "finished")
ATTENTION = STATES[:5]


@dataclass(frozen=True)
class Query:
    """What a person asked the table for; anything that cannot be is as if not asked."""

    text: str = ""
    state: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1

    @classmethod
    def of(cls, asked: Any) -> Query:
        """From the query parameters of a request."""
        page = str(asked.get("page", ""))
        return cls(
            text=asked.get("q", "").strip()[:100],
            state=asked.get("state", "") if asked.get("state") in (*STATES, "attention") else "",
            sort=asked.get("sort", "") if asked.get("sort") in SORTABLE else "",
            descending=asked.get("order") == "desc",
            page=int(page) if page.isdecimal() and len(page) < 7 else 1,
        )

    def address(self, month: str | None, **changes: Any) -> str:
        """Query part of the address that asks for the same with some changes; another order begins at page 1."""
        asked = replace(self, **{"page": 1, **changes})
        parts = {
            "month": month,
            "q": asked.text,
            "state": asked.state,
            "sort": asked.sort,
            "order": "desc" if asked.descending else "",
            "page": asked.page if asked.page > 1 else "",
        }
        return "?" + urlencode({name: value for name, value in parts.items() if value})


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


def prepared(table: pl.DataFrame, promoted: bool) -> pl.DataFrame:
    """The stored table with a column `state`, one word of what a person is to know, and a `key` to search in.

    Args:
        table: `forecasts/overview.parquet`.
        promoted: whether the run's model is the champion.
    """
    for name, kind in {"reason": pl.String, "degraded": pl.Boolean, "stale": pl.Boolean, "label": pl.String}.items():
        if name not in table.columns:
            table = table.with_columns(pl.lit(None, kind).alias(name))
    status = pl.col("status")
    state = (
        pl.when(status.is_in(["failed", "quarantined"]))
        .then(status)
        .when(pl.col("stale").fill_null(False))
        .then(pl.lit("stale"))
        .when(pl.col("degraded").fill_null(False))
        .then(pl.lit("degraded"))
        .when(status == "carried_over")
        .then(pl.lit("carried over"))
        .otherwise(pl.lit("promoted" if promoted else "finished"))
    )
    label = pl.coalesce("label", "series")
    keys = [plain(f"{one} {series}") for one, series in table.select(label, "series").rows()]
    return table.with_columns(state.alias("state"), label.alias("label"), pl.Series("key", keys, dtype=pl.String))


def select(table: pl.DataFrame, query: Query) -> Page:
    """The rows that a query asks for, from a prepared table."""
    states = dict(table.group_by("state").len().rows())
    found = table
    for word in plain(query.text).split():
        found = found.filter(pl.col("key").str.contains(word, literal=True))
    if query.state:
        found = found.filter(pl.col("state").is_in(ATTENTION if query.state == "attention" else [query.state]))
    found = _sorted(found, query)
    pages = max(1, -(-found.height // PAGE_SIZE))
    number = min(max(1, query.page), pages)
    rows = found.slice((number - 1) * PAGE_SIZE, PAGE_SIZE).to_dicts()
    return Page(rows, found.height, number, pages, {state: states[state] for state in STATES if state in states})


def _sorted(table: pl.DataFrame, query: Query) -> pl.DataFrame:
    if not query.sort or query.sort not in table.columns:
        return table
    by = pl.col(query.sort)
    if query.sort == "label":
        by = pl.col("key")
    elif query.sort == "state":
        by = by.replace_strict({state: place for place, state in enumerate(STATES)}, return_dtype=pl.Int8)
    return table.sort(by, descending=query.descending, nulls_last=True, maintain_order=True)


def plain(text: str) -> str:
    """Lower case without accents, so that "belem" finds "Belém"; of a long text the beginning."""
    text = text[:_LONGEST_KEY]
    if text.isascii():
        return text.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
