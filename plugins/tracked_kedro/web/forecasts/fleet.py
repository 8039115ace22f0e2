"""The whole fleet at a glance: how many series are in each state and in each interval of a score, and by group.

A bar counts what the query finds without its own filter, so that a person sees where else to go.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import polars as pl

from tracked_kedro.web.forecasts.overview import ADDED, filtered
from tracked_kedro.web.forecasts.query import RANGES, Query, Range
from tracked_kedro.web.forecasts.states import ATTENTION, LEAST_COVERAGE, STATES
from tracked_kedro.web.forecasts.tables import OVERVIEW

# Inner edges: the first interval has no lower end, the last one no upper one.
_SKILL = [round(-0.3 + 0.1 * step, 1) for step in range(11)]
_COVERAGE = [round(0.4 + 0.05 * step, 2) for step in range(12)]
_EDGES = {"skill": _SKILL, "coverage": _COVERAGE}
_TITLES = {"skill": "Skill against the seasonal naive forecast", "coverage": "Held-out months in the 80 % interval"}
# What ends here is drawn as doubtful.
_POOR = {"skill": 0.0, "coverage": LEAST_COVERAGE}
_MOST_GROUPS = 200


@dataclass(frozen=True)
class Bar:
    """One bar of a chart.

    Attributes:
        name: what it counts, for people.
        count: how many series.
        share: of the highest bar, 0 to 1.
        address: asks for its series; for all of them where it is the one that is asked for.
        chosen: whether its series are asked for.
        kind: word for its colour.
    """

    name: str
    count: int
    share: float
    address: str
    chosen: bool
    kind: str = ""


@dataclass(frozen=True)
class Chart:
    """Bars of one column; `low` and `high` are its inner edges at both ends, empty where it has none."""

    title: str
    bars: tuple[Bar, ...]
    low: str = ""
    high: str = ""


@dataclass(frozen=True)
class Group:
    """Series that share the value of an added column; `skill` is their median, `coverage` their mean."""

    name: str
    count: int
    attention: int
    skill: float | None
    coverage: float | None
    address: str


def charts(table: pl.DataFrame, query: Query, month: str) -> list[Chart]:
    """Charts of state, skill and coverage; of those columns that hold anything.

    Args:
        table: a prepared one.
        query: what was asked.
        month: of the run, for the addresses.
    """
    counts = dict(filtered(table, query, but="state").group_by("state").len().rows())
    most = max(counts.values(), default=1)
    states = tuple(
        Bar(
            name,
            counts[name],
            counts[name] / most,
            query.address(month, state="" if query.state == name else name),
            query.state == name or (query.state == "attention" and name in ATTENTION),
            name.replace(" ", "-"),
        )
        for name in STATES
        if name in counts
    )
    return [Chart("Status", states), *(found for name in RANGES if (found := _histogram(table, query, month, name)))]


def _histogram(table: pl.DataFrame, query: Query, month: str, name: str) -> Chart | None:
    values = filtered(table, query, but=name)[RANGES[name]].drop_nulls()
    if values.is_empty():
        return None
    edges = _EDGES[name]
    ranges = [Range(name, low, high) for low, high in zip([None, *edges], [*edges, None], strict=True)]
    counts = [_count(values, one) for one in ranges]
    asked = query.range(name)
    bars = tuple(
        Bar(
            one.words,
            count,
            count / max(counts),
            query.address(month, ranges=query.with_range(name, None if asked == one else one)),
            asked == one,
            "doubt" if one.high is not None and one.high <= _POOR[name] else "",
        )
        for one, count in zip(ranges, counts, strict=True)
    )
    return Chart(_TITLES[name], bars, f"{edges[0]:g}".replace("-", "−"), f"{edges[-1]:g}")


def _count(values: pl.Series, one: Range) -> int:
    low, high = (-inf if one.low is None else one.low), (inf if one.high is None else one.high)
    return int(values.is_between(low, high, closed="left").sum())


def dimensions(table: pl.DataFrame) -> dict[str, list[str]]:
    """The values of each column of words that the pipeline has added, where there are few enough to choose from.

    dimensions(pl.DataFrame({"series": ["a", "b"], "region": ["north", "south"]}))  # {"region": ["north", "south"]}
    """
    found = {}
    for column, kind in table.schema.items():
        if kind == pl.String and column not in OVERVIEW.columns and column not in ADDED:
            values = table[column].fill_null("").unique()
            if 1 < len(values) <= _MOST_GROUPS:
                found[column] = sorted(values.to_list())
    return found


def groups(table: pl.DataFrame, query: Query, month: str) -> list[Group]:
    """What the query finds by the column `query.by`, which is one of `dimensions`; the largest groups first."""
    by = pl.col(query.by).fill_null("").alias("group")
    found = (
        filtered(table, query)
        .group_by(by)
        .agg(
            pl.len().alias("count"),
            pl.col("state").is_in(ATTENTION).sum().alias("attention"),
            pl.col(RANGES["skill"]).median().alias("skill"),
            pl.col(RANGES["coverage"]).mean().alias("coverage"),
        )
    )
    return [
        Group(name, count, attention, skill, coverage, query.address(month, where=query.with_where(query.by, name)))
        for name, count, attention, skill, coverage in found.sort(["count", "group"], descending=[True, False]).rows()
    ]
