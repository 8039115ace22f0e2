"""What is shown of one series."""

from __future__ import annotations

from datetime import date

import pytest

from tests.fixtures.stored_forecasts import forecasts, history, overview, value
from tracked_kedro.web.forecasts.series import Realised, observations, plot_data, realised
from tracked_kedro.web.forecasts.sparkline import HEIGHT, WIDTH, sparkline

CUTOFF = date(2019, 11, 1)


def test_observations_of_the_history_have_no_gaps_filled():
    stored = history(0, CUTOFF)
    found = observations(stored, None)
    assert len(found) == stored.height - stored["observed"].null_count()
    assert found[date(2019, 10, 1)] == value(0, date(2019, 10, 1))


def test_without_a_history_the_recent_months_of_the_overview_are_known():
    row = overview(["a", "b", "c"], CUTOFF, {}).to_dicts()[1]
    found = observations(None, row)
    assert max(found) == date(2019, 10, 1)
    assert min(found) == date(2016, 11, 1)
    assert date(2019, 6, 1) not in found  # the generator's gap
    assert found[date(2018, 12, 1)] == value(1, date(2018, 12, 1))


@pytest.mark.parametrize("row", [None, {}, {"recent": [1.0], "last_observation": None}])
def test_nothing_is_known_of_a_series_without_either(row: dict | None):
    assert observations(None, row) == {}


def test_realised_are_the_months_ahead_that_have_happened():
    table = forecasts(["a"], CUTOFF)
    mean = {row["date"]: row["mean"] for row in table.to_dicts()}
    first, third = date(2019, 11, 1), date(2020, 1, 1)
    observed = {date(2019, 10, 1): 1.0, first: mean[first] + 1, third: mean[third] - 0.5}
    months = realised(table, observed, "2019-10")
    assert [(month.date, month.horizon) for month in months] == [(first, 1), (third, 3)]
    assert [month.inside for month in months] == [False, True]
    together = Realised(months)
    assert (together.inside, together.rmse) == (1, pytest.approx((1.25 / 2) ** 0.5))
    assert realised(table.clear(), observed, "2019-10") == []


def test_what_happened_since_is_apart_from_what_the_run_knew():
    observed = {date(2019, month, 1): float(month) for month in (8, 9, 10)}
    data = plot_data(observed, None, forecasts(["a"], date(2019, 10, 1)), [], date(2019, 9, 1))
    assert data["observed"] == {"date": ["2019-08-01", "2019-09-01"], "value": [8.0, 9.0]}
    assert data["since"] == {"date": ["2019-10-01"], "value": [10.0]}
    assert data["fit"] is None
    assert len(data["ahead"]["q975"]) == len(data["heldout"]["date"]) == 12


def test_other_versions_are_named_and_those_without_the_series_left_out():
    table = forecasts(["a"], CUTOFF)
    data = plot_data({}, history(0, CUTOFF), table, [("champion, version 1", table), ("gone", table.clear())], None)
    assert [other["name"] for other in data["others"]] == ["champion, version 1"]
    assert data["others"][0]["mean"] == data["ahead"]["mean"]
    assert data["trend"]["trend"][0] < data["trend"]["trend"][-1]


def test_a_sparkline_stays_in_its_frame_and_breaks_at_gaps():
    picture = sparkline([20.0, 21.0, None, 25.0], 24.0, 18.0, 30.0)
    assert picture.line.count("M") == 2
    assert picture.interval == (WIDTH - 3, 3.0, HEIGHT - 3)
    assert 3 < picture.forecast[1] < HEIGHT - 3


def test_a_sparkline_of_a_constant_and_of_nothing():
    assert sparkline([20.0, 20.0], None, None, None).interval is None
    assert sparkline([None, None], 1.0, 0.0, 2.0) is None
