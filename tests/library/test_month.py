"""The month of a DAG run, in every way a DAG run can come about."""

from datetime import UTC, date, datetime

import pytest

from tracked_kedro.month import cutoff_of, month_before, months_between, shifted


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("interval_end", "cutoff", "month"),
    [
        ("2019-10-03T06:00", "2019-10-01", "2019-09"),  # the schedule's own: the 3rd at 06:00
        ("2019-10-01T00:00", "2019-10-01", "2019-09"),  # ends where the month begins
        ("2019-09-30T23:59:59", "2019-09-01", "2019-08"),  # a second earlier the month is not over
        ("2020-02-29T12:00", "2020-02-01", "2020-01"),
        ("2020-03-01T00:00", "2020-03-01", "2020-02"),
        ("2021-01-03T06:00", "2021-01-01", "2020-12"),
        ("2020-12-31T23:59", "2020-12-01", "2020-11"),
    ],
)
def test_the_interval_end_decides(interval_end: str, cutoff: str, month: str):
    found = cutoff_of(None, at(interval_end), run_after=at("2031-05-17T00:00"))
    assert found == date.fromisoformat(cutoff)
    assert month_before(found) == month


@pytest.mark.parametrize(
    ("run_after", "cutoff"),
    [("2020-02-29T23:59", "2020-02-01"), ("2021-01-01T00:00", "2021-01-01"), ("2019-10-15T08:30", "2019-10-01")],
)
def test_without_an_interval_run_after_stands_in(run_after: str, cutoff: str):
    assert cutoff_of(None, None, at(run_after)) == date.fromisoformat(cutoff)


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_field_of_the_form_is_no_cutoff(nothing: str | None):
    assert cutoff_of(nothing, at("2019-10-03T06:00"), at("2019-10-03T06:00")) == date(2019, 10, 1)


@pytest.mark.parametrize("interval_end", [None, at("2019-10-03T06:00")])
def test_an_explicit_cutoff_wins(interval_end: datetime | None):
    assert cutoff_of("2018-01-01", interval_end, at("2019-10-03T06:00")) == date(2018, 1, 1)


@pytest.mark.parametrize(
    ("explicit", "message"),
    [
        ("2018-01-15", "2018-01-15 is not the first day of a month; write 2018-01-01"),
        ("2020-02-29", "write 2020-02-01"),
        ("2019-02-29", "is not a date; write it as YYYY-MM-01"),
        ("last month", "'last month' is not a date"),
        ("2018-01", "is not a date"),
    ],
)
def test_a_wrong_cutoff_is_named_with_its_remedy(explicit: str, message: str):
    with pytest.raises(ValueError, match=message):
        cutoff_of(explicit, None, at("2019-10-03T06:00"))


def test_the_months_of_a_year_follow_each_other():
    months = [month_before(date(2020, month, 1)) for month in range(1, 13)]
    assert months == ["2019-12", *(f"2020-{month:02d}" for month in range(1, 12))]


@pytest.mark.parametrize(
    ("month", "months", "wanted"),
    [
        (date(2019, 11, 1), 0, date(2019, 11, 1)),
        (date(2019, 11, 30), 1, date(2019, 12, 1)),
        (date(2019, 12, 1), 1, date(2020, 1, 1)),
        (date(2020, 1, 1), -1, date(2019, 12, 1)),
        (date(2020, 2, 29), -24, date(2018, 2, 1)),
        (date(2020, 2, 29), 600, date(2070, 2, 1)),
    ],
)
def test_months_later_and_earlier(month: date, months: int, wanted: date):
    assert shifted(month, months) == wanted
    assert months_between(month, wanted) == months


def test_before_the_first_year_there_is_no_month():
    with pytest.raises(ValueError, match="year 0"):
        shifted(date(1, 1, 1), -1)
