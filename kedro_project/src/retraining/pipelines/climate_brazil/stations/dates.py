"""Texts as months, where it is certain which month they mean. A month is counted from January of the year 0."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retraining.pipelines.climate_brazil.stations.names import MONTHS, meanings

_YEAR_FIRST = re.compile(r"([1-9]\d{3})[-/]?(\d{2})(?:[-/]?(\d{2}))?(?:[T ]\d{2}:.*)?")
_MONTH_AND_YEAR = re.compile(r"(\d{1,2})[-/.]([1-9]\d{3})")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.]([1-9]\d{3})(?:[T ]\d{2}:.*)?")


def month_number(year: int, text: str) -> int | None:
    """The month of a year by its number or name; None where the text is neither."""
    number = re.fullmatch(r"(\d{1,2})(?:[.,]0+)?", text)
    if number:
        return 12 * year + int(number[1]) - 1 if 1 <= int(number[1]) <= 12 else None
    name = next((one for one in meanings([text]) if one in MONTHS), None)
    return 12 * year + MONTHS.index(name) if name else None


def month_numbers(texts: Sequence[str]) -> list[int | None]:
    """Months of dates: 1961-03-01, 1961-03, 196103, 03/1961, and of the time stamps that begin so.

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
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = int(found[1]), int(found[2]), int(found[3] or 1)
    elif found := _MONTH_AND_YEAR.fullmatch(text):
        year, month, day = int(found[2]), int(found[1]), 1
    elif place and (found := _YEAR_LAST.fullmatch(text)):
        year, month, day = int(found[3]), int(found[place]), int(found[3 - place])
    else:
        return None
    return 12 * year + month - 1 if 1 <= month <= 12 and 1 <= day <= 31 else None
