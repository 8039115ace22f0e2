"""One raw station file as a tidy table.

A raw file has one row a year: `YEAR,JAN,...,DEC` and then season and annual columns, which are dropped: the source
estimates them even where months are missing, so nothing may be rebuilt from them. The catalog hands the file over as
text, every column a string, because a cell that is no number has to be named by line and column, not nulled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.errors import (
    CellError,
    HeaderError,
    NothingBeforeCutoffError,
    NothingObservedError,
    UnreadableFileError,
    YearError,
)

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MISSING_CODES = (999.9,)
# The catalog's load_args: all columns as text, no byte refused, a quote is a character, a blank line a row of nulls.
CSV_ARGS: dict[str, Any] = {
    "infer_schema": False,
    "encoding": "utf8-lossy",
    "quote_char": None,
    "raise_if_empty": False,
    "glob": False,
}


def parse_station(
    text_frame: pl.DataFrame,
    *,
    file: str,
    series: str,
    missing_codes: Sequence[float] = MISSING_CODES,
    before: date | None = None,
) -> pl.DataFrame:
    """Parse one file into (series, date, temperature in °C), one row a month from the first to the last observed one.

    A month inside the range that is missing is a row with a null temperature.

    Args:
        text_frame: the file's columns as strings, one row a line, blank lines as rows of nulls.
        file: its name, for messages.
        series: its id.
        missing_codes: values that stand for "missing".
        before: cells dated on or after this day are neither kept nor checked.

    Raises:
        BadStationError: naming file, line, column and remedy.
    """
    rows = _numbered_rows(text_frame, file)
    cells = _cells(rows)
    if before is not None:
        rows = rows.filter(pl.date(pl.col("year"), 1, 1) < before)
    _check_years(rows, file)
    kept = cells if before is None else cells.filter(pl.col("date") < before)
    _check_cells(kept, file)
    observed = _observed(kept, missing_codes)
    if observed.is_empty():
        codes = " or ".join(f"{code:g}" for code in missing_codes)
        later = _observed(cells, missing_codes)
        if before is not None and not later.is_empty():
            first = later["date"].min()
            assert isinstance(first, date)
            raise NothingBeforeCutoffError(
                f"{file}: no month is observed before the cutoff {before}; the first one is {first:%Y-%m}. "
                "Choose a later cutoff",
                first,
            )
        raise NothingObservedError(
            f"{file}: all {kept.height} months are missing ({codes}); "
            "fetch the file again or remove the station from conf"
        )
    return _monthly_grid(observed, series)


def check_header(columns: Iterable[str], file: str) -> dict[str, str]:
    """Map the columns of a raw file to YEAR and the months; a HeaderError names what is absent or there twice."""
    found: dict[str, list[str]] = {name: [] for name in ("YEAR", *MONTHS)}
    columns = list(columns)
    for column in columns:
        # Polars renames the second of two equal columns.
        name = column.split("_duplicated_")[0].strip(' \t"').upper()
        found.get(name, []).append(column)
    absent = [name for name, there in found.items() if not there]
    if absent:
        raise HeaderError(
            f"{file}, line 1: the header lacks {', '.join(absent)}. "
            f"Expected YEAR,{','.join(MONTHS)}, separated by commas"
        )
    twice = [name for name, there in found.items() if len(there) > 1]
    if twice:
        raise HeaderError(f"{file}, line 1: the header has {', '.join(twice)} more than once; keep one column of each")
    return {there[0]: name for name, there in found.items()}


def lines_of_years(text_frame: pl.DataFrame, file: str) -> dict[int, int]:
    """Line (the header is 1) on which each year of a file stands, so that a later check can name it."""
    return dict(_numbered_rows(text_frame, file).select("year", "line").iter_rows())


def _numbered_rows(text_frame: pl.DataFrame, file: str) -> pl.DataFrame:
    """Columns line, year and the months as stripped strings; blank lines are gone but counted."""
    if text_frame.width == 0:
        raise UnreadableFileError(f"{file}: the file is empty; fetch it again (make data) or remove it")
    _check_encoding(text_frame, file)
    names = check_header(text_frame.columns, file)
    rows = text_frame.with_columns(pl.all().cast(pl.String).str.strip_chars(' \t\r"')).with_row_index("line", offset=2)
    rows = rows.filter(~pl.all_horizontal(pl.exclude("line").fill_null("") == ""))
    rows = rows.select("line", *(pl.col(column).alias(name) for column, name in names.items()))
    if rows.is_empty():
        raise UnreadableFileError(
            f"{file}: there is a header but no row below it; fetch it again (make data) or remove it"
        )
    odd = rows.filter(~pl.col("YEAR").fill_null("").str.contains(r"^[1-9]\d{3}$"))
    if not odd.is_empty():
        raise YearError(f"{file}, line {odd['line'][0]}, column YEAR: not a year of four digits; correct the line")
    return rows.with_columns(year=pl.col("YEAR").cast(pl.Int32)).drop("YEAR")


def _check_encoding(text_frame: pl.DataFrame, file: str) -> None:
    """The catalog decodes leniently: one bad byte is a replacement character here, not an unnamed error."""
    remedy = "the file is not UTF-8 (Latin-1?); save it as UTF-8"
    if any("\ufffd" in column or "\0" in column for column in text_frame.columns):
        raise UnreadableFileError(f"{file}, line 1: {remedy}")
    for line, row in enumerate(text_frame.iter_rows(), start=2):
        for number, (column, cell) in enumerate(zip(text_frame.columns, row, strict=True), start=1):
            if isinstance(cell, str) and "\ufffd" in cell:
                name = column if column in ("YEAR", *MONTHS) else number
                raise UnreadableFileError(f"{file}, line {line}, column {name}: {remedy}")


def _check_years(rows: pl.DataFrame, file: str) -> None:
    seen: dict[int, int] = {}
    latest = 0
    for line, year in rows.select("line", "year").iter_rows():
        if year in seen:
            raise YearError(
                f"{file}, lines {seen[year]} and {line}, column YEAR: the same year appears twice; keep one of them"
            )
        if year < latest:
            raise YearError(
                f"{file}, line {line}, column YEAR: an earlier year than that of line {seen[latest]}; "
                "sort the lines by year or correct the year"
            )
        seen[year] = line
        latest = year


def _cells(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns line, month, date, text, value (null where the text is no finite number), by date."""
    long = rows.unpivot(on=list(MONTHS), index=["line", "year"], variable_name="month", value_name="text")
    number = pl.col("month").replace_strict(dict(zip(MONTHS, range(1, 13), strict=True)), return_dtype=pl.Int8)
    value = pl.col("text").cast(pl.Float64, strict=False)
    return long.select(
        "line",
        "month",
        pl.date(pl.col("year"), number, 1).alias("date"),
        "text",
        pl.when(value.is_finite()).then(value).alias("value"),
    ).sort("date", "line")


def _check_cells(cells: pl.DataFrame, file: str) -> None:
    bad = cells.filter(pl.col("value").is_null()).sort("line", "date")
    if bad.is_empty():
        return
    line, month, text = bad.select("line", "month", "text").row(0)
    what = "not a number" if text else "the cell is empty"
    more = f" ({bad.height - 1} more such cells)" if bad.height > 1 else ""
    raise CellError(
        f"{file}, line {line}, column {month}: {what}{more}; "
        "write a number with a decimal point, or 999.90 where the month is missing"
    )


def _observed(cells: pl.DataFrame, missing_codes: Sequence[float]) -> pl.DataFrame:
    return cells.filter(pl.col("value").is_not_null() & ~pl.col("value").is_in(list(missing_codes)))


def _monthly_grid(observed: pl.DataFrame, series: str) -> pl.DataFrame:
    """Every month from the first to the last observed one; cutting the ends keeps trailing codes out of a cutoff."""
    grid = observed.select(pl.date_range(pl.col("date").min(), pl.col("date").max(), "1mo").alias("date"))
    return grid.join(observed, on="date", how="left", maintain_order="left").select(
        pl.lit(series).alias("series"), "date", pl.col("value").alias("temperature")
    )
