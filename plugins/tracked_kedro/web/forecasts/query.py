"""What a person asks the overview for, as the address of the page says it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tracked_kedro.web.forecasts.states import STATES

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
#: Columns of which a person can ask for an interval, by their name in the address.
RANGES = {"skill": "skill_vs_seasonal_naive", "coverage": "coverage_80"}
_LONGEST = 100  # characters
_MOST_FILTERS = 5


class Range(NamedTuple):
    """An interval of a column; None where it has no end. The lowest value belongs to it, the highest does not."""

    name: str
    low: float | None
    high: float | None

    def __str__(self) -> str:
        return ":".join("" if end is None else f"{end:g}" for end in (self.low, self.high))

    @property
    def words(self) -> str:
        """For people."""
        low, high = (
            None if end is None else f"{end:g}".replace("-", "\N{MINUS SIGN}") for end in (self.low, self.high)
        )
        if low is None:
            return f"below {high}"
        return f"{low} to {high}" if high is not None else f"{low} and more"


class Where(NamedTuple):
    """One value of a column that the pipeline has added."""

    column: str
    value: str

    def __str__(self) -> str:
        return f"{self.column}:{self.value}"


@dataclass(frozen=True)
class Query:
    """What was asked; anything that cannot be is as if not asked.

    Attributes:
        by: the added column that the series are grouped by.
    """

    text: str = ""
    state: str = ""
    ranges: tuple[Range, ...] = ()
    where: tuple[Where, ...] = ()
    by: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1

    @classmethod
    def of(cls, asked: Any) -> Query:
        """From the query parameters of a request."""
        page = str(asked.get("page", ""))
        several = asked.getlist if hasattr(asked, "getlist") else lambda name: [asked[name]] if name in asked else []
        return cls(
            text=asked.get("q", "").strip()[:_LONGEST],
            state=asked.get("state", "") if asked.get("state") in (*STATES, "attention") else "",
            ranges=tuple(found for name in RANGES if (found := _range(name, asked.get(name, "")))),
            where=tuple(_wheres(several("where"))),
            by=asked.get("by", "")[:_LONGEST],
            sort=asked.get("sort", "") if asked.get("sort") in SORTABLE else "",
            descending=asked.get("order") == "desc",
            page=int(page) if page.isdecimal() and len(page) < 7 else 1,
        )

    @property
    def filters(self) -> bool:
        """Whether it may leave out rows."""
        return bool(self.text or self.state or self.ranges or self.where)

    def range(self, name: str) -> Range | None:
        """The interval that is asked of a column of `RANGES`."""
        return next((one for one in self.ranges if one.name == name), None)

    def with_range(self, name: str, wanted: Range | None) -> tuple[Range, ...]:
        """Its intervals, with this one of that column, or none of it."""
        return (*(one for one in self.ranges if one.name != name), *([wanted] if wanted else []))

    def with_where(self, column: str, value: str | None) -> tuple[Where, ...]:
        """Its values, with this one of that column, or none of it."""
        others = (one for one in self.where if one.column != column)
        return (*others, *([] if value is None else [Where(column, value)]))

    def address(self, month: str | None, **changes: Any) -> str:
        """Query part of the address that asks for the same with some changes; another order begins at page 1."""
        asked = replace(self, **{"page": 1, **changes})
        parts = [
            ("month", month),
            ("q", asked.text),
            ("state", asked.state),
            *((one.name, one) for one in asked.ranges),
            *(("where", one) for one in asked.where),
            ("by", asked.by),
            ("sort", asked.sort),
            ("order", "desc" if asked.descending else ""),
            ("page", asked.page if asked.page > 1 else ""),
        ]
        return "?" + urlencode([(name, str(value)) for name, value in parts if value])


def _range(name: str, text: str) -> Range | None:
    low, colon, high = text.partition(":")
    try:
        ends = [float(end) if end else None for end in (low, high)]
    except ValueError:
        return None
    fine = colon and any(end is not None for end in ends) and all(end is None or abs(end) <= 1e6 for end in ends)
    return Range(name, *ends) if fine else None


def _wheres(texts: Iterable[str]) -> Iterable[Where]:
    found: dict[str, Where] = {}
    for text in list(texts)[:_MOST_FILTERS]:
        column, colon, value = text[: 3 * _LONGEST].partition(":")
        if colon and column:
            found[column] = Where(column, value)
    return found.values()
