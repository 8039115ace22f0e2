"""The fleet at a glance, for ten thousand series and for none."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs

import polars as pl
import pytest

from tests.fixtures.stored_forecasts import overview
from tracked_kedro.web.forecasts.fleet import charts, dimensions, groups
from tracked_kedro.web.forecasts.overview import filtered, prepared, select
from tracked_kedro.web.forecasts.query import Query

CUTOFF = date(2019, 11, 1)
SMALL = overview([f"s{place}" for place in range(100)], CUTOFF, {})
# A fleet of ten thousand, of rows that are known.
LARGE = prepared(pl.concat([SMALL.with_columns(series=pl.col("series") + f"-{copy}") for copy in range(100)]))


def asked(address: str) -> Query:
    return Query.of({name: values[0] for name, values in parse_qs(address[1:]).items()})


def test_every_bar_leads_to_as_many_series_as_it_counts():
    for query in (Query(), Query.of({"state": "finished", "where": "region:south"})):
        for chart in charts(LARGE, query, "2019-10"):
            assert len(chart.bars) > 1
            for bar in chart.bars:
                assert bar.chosen or filtered(LARGE, asked(bar.address)).height == bar.count, (chart.title, bar.name)
                assert 0 <= bar.share <= 1


def test_intervals_count_each_series_that_has_a_score_once():
    _, skill, coverage = charts(LARGE, Query(), "2019-10")
    assert sum(bar.count for bar in skill.bars) == sum(bar.count for bar in coverage.bars) == 9_900
    assert {bar.kind for bar in skill.bars[:4]} == {"doubt"}


def test_the_bar_that_is_asked_for_leads_back_to_all():
    (bar,) = [bar for bar in charts(LARGE, Query.of({"skill": "0.1:0.2"}), "2019-10")[1].bars if bar.chosen]
    assert not asked(bar.address).filters
    (bar,) = [bar for bar in charts(LARGE, Query.of({"state": "stale"}), "2019-10")[0].bars if bar.chosen]
    assert (bar.name, asked(bar.address).filters) == ("stale", False)
    states = {bar.name: bar.chosen for bar in charts(LARGE, Query.of({"state": "attention"}), "2019-10")[0].bars}
    assert states == {"quarantined": True, "stale": True, "degraded": True, "finished": False}


def test_without_scores_or_series_there_is_nothing_to_draw():
    without = prepared(SMALL.with_columns(skill_vs_seasonal_naive=None, coverage_80=pl.lit(None, pl.Float64)))
    assert [chart.title for chart in charts(without.cast({"skill_vs_seasonal_naive": pl.Float64}), Query(), "")] == [
        "Status"
    ]
    (chart,) = charts(LARGE, Query.of({"q": "nothing like that"}), "")
    assert chart.bars == ()


def test_groups_of_an_added_column():
    assert dimensions(LARGE) == {"region": ["north", "south"]}
    found = groups(LARGE, Query.of({"by": "region"}), "2019-10")
    assert [(group.name, group.count) for group in found] == [("north", 6_600), ("south", 3_400)]
    assert sum(group.attention for group in found) == 300
    for group in found:
        assert select(LARGE, asked(group.address)).found == group.count


@pytest.mark.parametrize("values", [["one"] * 300, [str(place) for place in range(300)], [None] * 300])
def test_a_column_of_one_value_or_of_too_many_is_none_to_group_by(values: list[str | None]):
    stored = overview([f"s{place}" for place in range(300)], CUTOFF, {}).drop("region")
    assert dimensions(prepared(stored.with_columns(pl.Series("remark", values, pl.String)))) == {}


def test_series_without_a_value_are_a_group_too():
    stored = overview(["a", "b", "c"], CUTOFF, {}).with_columns(pl.Series("region", ["north", None, "north"]))
    found = groups(prepared(stored), Query(by="region"), "2019-10")
    assert [(group.name, group.count) for group in found] == [("north", 2), ("", 1)]
    assert select(prepared(stored), asked(found[1].address)).rows[0]["series"] == "b"
