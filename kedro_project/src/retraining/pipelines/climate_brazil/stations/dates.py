"""Texts as months, where it is certain which month they mean. A month is counted from January of the year 0."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence

from retraining.pipelines.climate_brazil.stations.names import MONTHS, meanings

_YEAR_FIRST = re.compile(r"([1-9]\d{3})[-/]?(\d{2})(?:[-/]?(\d{2}))?(?:[T ](\d{2}):(\d{2}).*)?")
_MONTH_AND_YEAR = re.compile(r"(\d{1,2})[-/.]([1-9]\d{3})")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.]([1-9]\d{3})(?:[T ](\d{2}):(\d{2}).*)?")
_NUMBERED = re.compile(r"([1-9]\d{3})M(\d{1,2})", re.IGNORECASE)
# Jan-1961, 01-Jan-1961, "janeiro de 1961"; 1961-Jan. A year of two digits could be a day.
_NAME_AND_YEAR = re.compile(r"(?:\d{1,2}[-/. ])?([^\W\d_]{3,})\.?(?:[-/ ]| de )?([1-9]\d{3})")
_YEAR_AND_NAME = re.compile(r"([1-9]\d{3})[-/ ]?([^\W\d_]{3,})\.?")
# Hours by which clocks differ from UTC.
_FARTHEST = 14


def month_number(year: int, text: str) -> int | None:
    """The month of a year by its number or name; None where the text is neither."""
    number = re.fullmatch(r"(\d{1,2})(?:[.,]0+)?", text)
    if number:
        return 12 * year + int(number[1]) - 1 if 1 <= int(number[1]) <= 12 else None
    name = next((one for one in meanings([text]) if one in MONTHS), None)
    return 12 * year + MONTHS.index(name) if name else None


def month_numbers(texts: Sequence[str]) -> list[int | None]:
    """Months of dates: 1961-03-01, 1961-03, 196103, 03/1961, the time stamps that begin so, 1961M03, Mar-1961.

    In 01/03/1961 either number may be the month: it is the second where another date of the column has a first above
    12, or all have the same first (monthly data are dated on one day); and the other way round; else it is not certain.
    """
    ambiguous = [found for found in map(_YEAR_LAST.fullmatch, texts) if found]
    place = _month_place({int(one[1]) for one in ambiguous}, {int(one[2]) for one in ambiguous})
    return [_month(text, place) for text in texts]


def _month_place(first: set[int], second: set[int]) -> int | None:
    if not first:
        return None
    if max(first) > 12 or max(second) > 12:
        return None if max(first) > 12 and max(second) > 12 else 2 if max(first) > 12 else 1
    if len(first) == 1 < len(second):
        return 2
    return 1 if len(second) == 1 < len(first) else None


def _month(text: str, place: int | None) -> int | None:
    hour = minute = None
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day, hour, minute = found.groups()
    elif found := _MONTH_AND_YEAR.fullmatch(text):
        month, year, day = *found.groups(), None
    elif place and (found := _YEAR_LAST.fullmatch(text)):
        year, month, day, hour, minute = found[3], found[place], found[3 - place], found[4], found[5]
    elif found := _NUMBERED.fullmatch(text):
        year, month, day = *found.groups(), None
    elif found := _NAME_AND_YEAR.fullmatch(text):
        return month_number(int(found[2]), found[1])
    elif found := _YEAR_AND_NAME.fullmatch(text):
        return month_number(int(found[1]), found[2])
    else:
        return None
    return _counted(int(year), int(month), int(day or 1), int(hour or 0), int(minute or 0))


def _counted(year: int, month: int, day: int, hour: int, minute: int) -> int | None:
    """The month; None for no date, and for an instant at a month's edge, which another clock sees in the other month.

    Programs write midnight of the first, in whichever clock (00:00, 03:00, 22:00 of the day before), or the last
    minute of the month. What is neither 00:00 of a first nor 23:59 of a last day could be another month's.
    """
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    is_last = day == calendar.monthrange(year, month)[1]
    before_the_edge = is_last and hour >= 24 - _FARTHEST and (hour, minute) != (23, 59)
    after_the_edge = day == 1 and hour < _FARTHEST and minute == 59
    return None if before_the_edge or after_the_edge else 12 * year + month - 1
