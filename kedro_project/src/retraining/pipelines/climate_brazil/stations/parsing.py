"""The rows of one raw file as a monthly series.

A line is a year, `YEAR,JAN,...,DEC` and then season and annual columns, which are dropped: the source estimates them
even where months are missing, so nothing may be rebuilt from them. Or it is one month, `date,value`, of one series or
of several (`series,date,value`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from retraining.pipelines.climate_brazil.errors import (
    CellError,
    FrequencyError,
    NothingBeforeCutoffError,
    NothingObservedError,
    YearError,
)
from retraining.pipelines.climate_brazil.stations.cells import MISSING_CODES, numbers, shape
from retraining.pipelines.climate_brazil.stations.dates import month_number, month_numbers
from retraining.pipelines.climate_brazil.stations.names import DATE, MONTH, MONTHS, SERIES, VALUE, YEAR, plain
from retraining.pipelines.climate_brazil.stations.sheet import Row, Sheet

# So many observations, all in the same distance, are no accident.
_A_RHYTHM = 8
_YEAR = re.compile(r"([1-9]\d{3})(?:[.,]0+)?")


class Station(NamedTuple):
    """One series, every month from the first to the last observed one.

    Attributes:
        first: month 0 of the series, counted from January of the year 0.
        values: °C, NaN where the month is missing.
        lines: on which each month stands in the file; 0 where it does not.
        is_wide: whether a line of the file is a year.
    """

    first: int
    values: np.ndarray
    lines: np.ndarray
    is_wide: bool

    def table(self, series: str) -> pl.DataFrame:
        """(series, date, temperature in °C, null where missing)."""
        months = np.datetime64("0000-01", "M") + self.first + np.arange(len(self.values))
        return pl.DataFrame(
            {
                "series": pl.repeat(series, len(self.values), dtype=pl.String, eager=True),
                "date": pl.Series(months.astype("datetime64[D]")).cast(pl.Date),
                "temperature": pl.Series(self.values, dtype=pl.Float64, nan_to_null=True),
            }
        )

    def place(self, month: date) -> tuple[int, str]:
        """Line and column of a month in the file."""
        line = int(self.lines[12 * month.year + month.month - 1 - self.first])
        return line, MONTHS[month.month - 1] if self.is_wide else VALUE

    @property
    def observed(self) -> int:
        """How many months are not missing."""
        return int(np.isfinite(self.values).sum())

    @property
    def span(self) -> str:
        """First and last month, such as "1961-01 to 2019-10"."""
        months = np.datetime64("0000-01", "M") + self.first + np.array([0, len(self.values) - 1])
        return f"{months[0]} to {months[1]}"

    def without(self, months: Sequence[date]) -> Station | None:
        """The series with these months missing; None where nothing is left."""
        values = self.values.copy()
        values[[12 * month.year + month.month - 1 - self.first for month in months]] = np.nan
        return self._replace(values=values)._trimmed()

    def until(self, end: date) -> Station | None:
        """The series before this first of a month; None where nothing is left."""
        length = max(12 * end.year + end.month - 1 - self.first, 0)
        return self._replace(values=self.values[:length])._trimmed()

    def _trimmed(self) -> Station | None:
        known = np.flatnonzero(np.isfinite(self.values))
        if not len(known):
            return None
        kept = slice(int(known[0]), int(known[-1]) + 1)
        return self._replace(first=self.first + kept.start, values=self.values[kept], lines=self.lines[kept])


def rows_by_series(sheet: Sheet) -> dict[str, list[Row]]:
    """The rows of a file with a series column, by name without case and accents."""
    column = sheet.columns[SERIES]
    found: dict[str, list[Row]] = {}
    for row in sheet.rows:
        name = row.cells[column] if column < len(row.cells) else ""
        found.setdefault(plain(name), []).append(row)
    return found


def parse_station(
    sheet: Sheet, *, file: str, missing_codes: Sequence[float] = MISSING_CODES, before: date | None = None
) -> Station:
    """Read the rows of one series.

    Args:
        sheet: the file, or the rows of one series in it.
        file: its name, for messages.
        missing_codes: values that stand for "missing".
        before: cells dated on or after this day are neither kept nor checked.

    Raises:
        BadStationError: naming file, line, column and remedy; a text is named by its shape.
    """
    end = 12 * before.year + before.month - 1 if before else None
    months, lines, texts = _wide(sheet, file, end) if sheet.is_wide else _long(sheet, file, end)
    values, bad = numbers(texts, missing_codes)
    kept = months < end if end is not None else np.ones(len(months), dtype=bool)
    bad = [place for place in bad if kept[place]]
    if bad:
        month, line = int(months[bad[0]]), int(lines[bad[0]])
        more = f" ({len(bad) - 1} more such cells)" if len(bad) > 1 else ""
        column = MONTHS[month % 12] if sheet.is_wide else VALUE
        raise CellError(
            f"{file}, line {line}, column {column}: {shape(texts[bad[0]])}, which is not a number{more}; "
            "write a number with a decimal point, or 999.90 where the month is missing"
        )
    observed = np.flatnonzero(np.isfinite(values) & kept)
    if not len(observed):
        raise _nothing(months, values, kept, file, before)
    step = int(np.gcd.reduce(np.diff(np.sort(months[observed]))))
    if step > 1 and len(observed) >= _A_RHYTHM:
        raise FrequencyError(
            f"{file}: one value every {step} months (quarterly or yearly data?); monthly values are needed"
        )
    first, last = int(months[observed].min()), int(months[observed].max())
    grid, places = np.full(last - first + 1, np.nan), np.zeros(last - first + 1, dtype=np.int64)
    within = (months >= first) & (months <= last)
    grid[months[within] - first], places[months[within] - first] = values[within], lines[within]
    return Station(first, grid, places, sheet.is_wide)


def _nothing(
    months: np.ndarray, values: np.ndarray, kept: np.ndarray, file: str, before: date | None
) -> NothingObservedError:
    later = months[np.isfinite(values)]
    if before is not None and len(later):
        first = date(int(later.min()) // 12, int(later.min()) % 12 + 1, 1)
        return NothingBeforeCutoffError(
            f"{file}: no month is observed before the cutoff {before}; the first one is {first:%Y-%m}. "
            "Choose a later cutoff",
            first,
        )
    return NothingObservedError(
        f"{file}: all {kept.sum()} months are missing; fetch the file again or remove the station from conf"
    )


def _wide(sheet: Sheet, file: str, end: int | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Month numbers, lines and texts of all cells, by year."""
    where = [sheet.columns[month] for month in MONTHS]
    seen: dict[int, int] = {}
    latest, texts = 0, []
    for line, cells in sheet.rows:
        year = _year(cells, sheet, file, line)
        cut = [month for month, place in zip(MONTHS, where, strict=True) if place >= len(cells)]
        checked = end is None or 12 * year < end
        if cut and checked:
            more = f" ({len(cut) - 1} more such cells)" if len(cut) > 1 else ""
            raise CellError(f"{file}, line {line}, column {cut[0]}: the line ends before it{more}; complete the line")
        if checked and year in seen:
            raise YearError(
                f"{file}, lines {seen[year]} and {line}, column YEAR: the same year appears twice; keep one of them"
            )
        if checked and year < latest:
            raise YearError(
                f"{file}, line {line}, column YEAR: an earlier year than that of line {seen[latest]}; "
                "sort the lines by year or correct the year"
            )
        if checked or year not in seen:
            seen[year] = line
            latest = max(latest, year) if checked else latest
            texts += [cells[place] if place < len(cells) else "" for place in where]
    years = np.array(list(seen), dtype=np.int64)
    months = (12 * years[:, None] + np.arange(12)).ravel()
    return months, np.repeat(np.array(list(seen.values()), dtype=np.int64), 12), texts


def _year(cells: list[str], sheet: Sheet, file: str, line: int) -> int:
    place = sheet.columns[YEAR]
    text = cells[place] if place < len(cells) else ""
    found = _YEAR.fullmatch(text)
    if not found:
        raise YearError(
            f"{file}, line {line}, column YEAR: {shape(text)}, which is not a year of four digits; correct the line"
        )
    return int(found[1])


def _long(sheet: Sheet, file: str, end: int | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Month numbers, lines and texts of all rows."""
    place = sheet.columns[VALUE]
    for line, cells in sheet.rows:
        if len(cells) <= max(sheet.columns.values()):
            raise CellError(f"{file}, line {line}: the line ends before its last column; complete the line")
    found: list[int | None]
    if YEAR in sheet.columns:
        column, at = MONTH, sheet.columns[MONTH]
        found = [month_number(_year(cells, sheet, file, line), cells[at]) for line, cells in sheet.rows]
    else:
        column = DATE if DATE in sheet.columns else MONTH
        found = month_numbers([cells[sheet.columns[column]] for _, cells in sheet.rows])
    seen: dict[int, int] = {}
    months: list[int] = []
    for (line, cells), month in zip(sheet.rows, found, strict=True):
        if month is None:
            text = cells[sheet.columns[column]]
            raise YearError(f"{file}, line {line}, column {column}: {shape(text)}, no certain month; write YYYY-MM-DD")
        if month in seen and (end is None or month < end):
            raise YearError(
                f"{file}, lines {seen[month]} and {line}, column {column}: {month // 12}-{month % 12 + 1:02d} appears "
                "twice; keep one row a month"
            )
        seen[month] = line
        months.append(month)
    return (
        np.array(months, dtype=np.int64),
        np.array([row.line for row in sheet.rows], dtype=np.int64),
        [row.cells[place] for row in sheet.rows],
    )
