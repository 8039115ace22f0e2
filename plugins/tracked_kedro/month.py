"""Months, by their first day: that of a DAG run above all."""

from __future__ import annotations

from datetime import date, datetime


def first_of_month(day: date) -> date:
    """The same day.

    Raises:
        ValueError: it is not the first of a month.
    """
    if day.day != 1:
        raise ValueError(f"{day} is not the first day of a month; write {day:%Y-%m}-01")
    return day


def cutoff_of(explicit: str | None, interval_end: datetime | None, run_after: datetime) -> date:
    """First day that is not read: the first of the month in which the data interval ends.

    Args:
        explicit: a cutoff asked for by a person, ISO date; it wins.
        interval_end: end of the DAG run's data interval, None for a manual run without a logical date.
        run_after: when the DAG run may start; stands in for a missing interval.

    Raises:
        ValueError: the explicit cutoff is no date or not the first day of a month.
    """
    if explicit:
        try:
            cutoff = date.fromisoformat(explicit)
        except ValueError:
            raise ValueError(f"cutoff {explicit!r} is not a date; write it as YYYY-MM-01") from None
        return first_of_month(cutoff)
    # An interval that ends on the 3rd must not admit the unfinished month's row.
    return (interval_end or run_after).date().replace(day=1)


def month_before(cutoff: date) -> str:
    """The last month that is read, as YYYY-MM; runs are named after it."""
    year, month = (cutoff.year, cutoff.month - 1) if cutoff.month > 1 else (cutoff.year - 1, 12)
    return f"{year:04d}-{month:02d}"


def shifted(month: date, months: int) -> date:
    """The first day of the month that is so many months later; earlier where `months` is negative.

    >>> shifted(date(2019, 11, 1), -12)
    datetime.date(2018, 11, 1)

    Raises:
        ValueError: that is before the year 1 or after the year 9999.
    """
    number = month.year * 12 + month.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def months_between(earlier: date, later: date) -> int:
    """How many months later the month of `later` is, whatever the days; negative where it is earlier.

    >>> months_between(date(2018, 12, 31), date(2019, 1, 1))
    1
    """
    return (later.year - earlier.year) * 12 + later.month - earlier.month
