from datetime import date

import polars as pl
import pytest

from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.stations.contract import contract_failures

# Fewer months than the parameters allow, so that a table is readable here.
RULES = Contract().model_copy(update={"min_months": 3, "on_short_series": "refuse"})


def table(**series):
    rows = [
        (name, day if isinstance(day, date) else date(2000, day, 1), value)
        for name, months in series.items()
        for day, value in months
    ]
    return pl.DataFrame(rows, schema={"series": pl.String, "date": pl.Date, "temperature": pl.Float64}, orient="row")


GOOD = [(1, 20.0), (2, None), (3, 21.0), (4, 22.0)]


def test_a_good_table_has_no_failures():
    assert contract_failures(table(a=GOOD, b=GOOD), RULES) == {}


@pytest.mark.parametrize("value", [999.0, -9999.0, 50.01, -30.01])
def test_a_value_out_of_range_is_named_with_month_and_remedy(value):
    failures = contract_failures(table(a=GOOD, b=[*GOOD, (5, value)]), RULES)
    assert list(failures) == ["b"]
    for words in ("2000-05", "value_range [-30, 50]", "write 999.90"):
        assert words in failures["b"]


@pytest.mark.parametrize("value", [-30.0, 50.0])
def test_the_range_includes_its_ends(value):
    assert contract_failures(table(a=[*GOOD, (5, value)]), RULES) == {}


def test_the_place_comes_from_the_caller():
    bad = table(a=[*GOOD, (5, 999.0)])
    failures = contract_failures(bad, RULES, lambda series, month: f"{series}.csv, line {month.month}")
    assert failures["a"].startswith("a.csv, line 5: outside")


def test_a_month_that_appears_twice_is_named_once():
    reason = contract_failures(table(a=[*GOOD, (4, 23.0)]), RULES)["a"]
    assert reason.count("2000-04-01") == 1
    assert "keep one row a month" in reason


def test_a_day_that_is_not_the_first_is_named():
    assert "2000-05-02" in contract_failures(table(a=[*GOOD, (date(2000, 5, 2), 20.0)]), RULES)["a"]


def test_too_few_observed_months_are_counted_without_nulls():
    reason = contract_failures(table(a=[(1, 20.0), (2, None), (3, 20.0)], b=GOOD), RULES)
    assert list(reason) == ["a"]
    assert reason["a"].startswith("2 observed months: fewer than min_months = 3")


def test_all_reasons_of_all_series_come_at_once():
    failures = contract_failures(table(a=[(1, 999.0)], b=[*GOOD, (4, -9999.0)]), RULES)
    assert "min_months" in failures["a"]
    assert "value_range" in failures["a"]
    assert "keep one row" in failures["b"]
    assert "value_range" in failures["b"]


def test_many_bad_values_are_summed_up():
    reason = contract_failures(table(a=[(month, 999.0) for month in range(1, 13)]), RULES)["a"]
    assert "and 7 more" in reason


def test_a_wrong_column_is_an_error_of_the_code():
    with pytest.raises(TypeError, match=r"not a table of \(series, date, temperature\)"):
        contract_failures(table(a=GOOD).rename({"temperature": "celsius"}), RULES)
