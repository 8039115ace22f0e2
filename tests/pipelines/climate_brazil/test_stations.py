import os
import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.pipelines.climate_brazil.errors import (
    BadStationError,
    CellError,
    HeaderError,
    NothingBeforeCutoffError,
    NothingObservedError,
    UnreadableFileError,
    YearError,
)
from retraining.pipelines.climate_brazil.stations.names import MONTHS
from retraining.pipelines.climate_brazil.stations.parsing import Station, parse_station
from retraining.pipelines.climate_brazil.stations.sheet import read_sheet

REPOSITORY = Path(__file__).resolve().parents[3]
REAL = (REPOSITORY / os.environ.get("RETRAINING_TEST_DATA", "../shared/data") / "stations").resolve()
HEADER = "YEAR,JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC,D-J-F,M-A-M,J-J-A,S-O-N,metANN"


def line(year, cells=("20.00",) * 12):
    return ",".join([str(year), *cells, *["1.00"] * 5])


def read(content: str | bytes, **options) -> Station:
    data = content if isinstance(content, bytes) else content.encode()
    return parse_station(read_sheet(data, "station_x.csv"), file="station_x.csv", **options)


def parse(content: str | bytes, **options) -> pl.DataFrame:
    return read(content, **options).table("x")


def with_cell(month, text, year=1961):
    cells = ["20.00"] * 12
    cells[MONTHS.index(month)] = text
    return line(year, cells)


def test_a_file_becomes_one_row_a_month():
    table = parse(f"{HEADER}\n{line(1961, [f'{k}.50' for k in range(1, 13)])}\n{line(1962)}\n")
    assert table.schema == {"series": pl.String, "date": pl.Date, "temperature": pl.Float64}
    assert table.height == 24
    assert table.row(0) == ("x", date(1961, 1, 1), 1.5)
    assert table.row(11) == ("x", date(1961, 12, 1), 12.5)


def test_missing_months_are_dropped_at_the_ends_and_null_inside():
    cells = ["999.90"] * 3 + ["20.00", "999.9", "21.00"] + ["999.90"] * 6
    table = parse(f"{HEADER}\n{line(1961, cells)}\n")
    assert table["date"].to_list() == [date(1961, 4, 1), date(1961, 5, 1), date(1961, 6, 1)]
    assert table["temperature"].to_list() == [20.0, None, 21.0]


def test_absent_years_are_missing_months():
    table = parse(f"{HEADER}\n{line(1961)}\n{line(1963)}\n")
    assert table.height == 36
    assert table["temperature"].null_count() == 12


@pytest.mark.parametrize("code", ["999", "-9999", "-999.9"])
def test_only_the_missing_code_is_missing(code):
    assert parse(f"{HEADER}\n{with_cell('MAR', code)}\n")["temperature"][2] == float(code)


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\r\n{line(1961)}\r\n\r\n{line(1962)}\r\n",
        f"\ufeff{HEADER}\n{line(1961)}\n{line(1962)}\n",
        f"\ufeff{HEADER}\r\n{line(1961)}\r\n{line(1962)}",
        f"{HEADER.lower()}\n{line(1961)}\n{line(1962)}\n",
        "\n".join('"' + row.replace(",", '","') + '"' for row in (HEADER, line(1961), line(1962))),
        "\n".join(row.replace(",", " , ") for row in (HEADER, line(1961), line(1962))),
    ],
    ids=["crlf", "bom", "bom-crlf", "lower-case header", "quoted", "spaces"],
)
def test_harmless_variants_are_accepted_silently(content):
    assert parse(content).equals(parse(f"{HEADER}\n{line(1961)}\n{line(1962)}\n"))


BAD = {
    "empty": ("", UnreadableFileError, ["the file is empty", "make data"]),
    "header only": (f"{HEADER}\n", UnreadableFileError, ["no row below"]),
    "month lacking": (
        f"{HEADER.replace('MAR,', '')}\n{line(1961)[:-5]}\n",
        HeaderError,
        ["line 1", "lacks MAR"],
    ),
    "month twice": (f"{HEADER.replace('D-J-F', 'JAN')}\n{line(1961)}\n", HeaderError, ["JAN more than once"]),
    "web page": ("<html>\n<p>Not found</p>\n", UnreadableFileError, ["a page or XML", "fetch the file again"]),
    "header of names alone": (f"a,b\n{line(1961)}\n", HeaderError, ["line 1", "Expected YEAR,JAN", "or date,value"]),
    "one cell more": (f"{HEADER}\n1,{line(1961)}\n", UnreadableFileError, ["line 2", "19 cells below a header of 18"]),
    "open quote": (f'{HEADER}\n"{line(1961)}\n', UnreadableFileError, ["line 2", "not closed"]),
    "dash": (f"{HEADER}\n{with_cell('MAR', '-')}\n", CellError, ["line 2", "column MAR", "1 character: signs"]),
    "mixed decimal marks": (
        f"{HEADER}\n{with_cell('MAR', '20,5')}\n".replace(",", ";").replace("20;5", "20,5"),
        CellError,
        ["column MAR", "4 characters: digits and signs"],
    ),
    "text cell": (
        f"{HEADER}\n{line(1960)}\n\n{with_cell('MAR', '2b.4')}\n",
        CellError,
        ["line 4", "column MAR", "4 characters: letters, digits and signs", "999.90"],
    ),
    "infinite cell": (f"{HEADER}\n{with_cell('MAY', 'inf')}\n", CellError, ["line 2", "column MAY"]),
    "cut off": (
        f"{HEADER}\n{line(1961)}\n1962,20.00,21.0",
        CellError,
        ["line 3", "column MAR", "9 more such cells"],
    ),
    "year twice": (
        f"{HEADER}\n{line(1961)}\n\n{line(1962)}\n{line(1961)}\n",
        YearError,
        ["lines 2 and 5", "the same year appears twice", "keep one"],
    ),
    "out of order": (
        f"{HEADER}\n{line(1962)}\n{line(1961)}\n",
        YearError,
        ["line 3", "an earlier year than that of line 2", "sort"],
    ),
    "year is text": (
        f"{HEADER}\n{line('19x1')}\n",
        YearError,
        ["line 2", "column YEAR", "4 characters: letters and digits"],
    ),
    "year is a fraction": (f"{HEADER}\n{line('1961.5')}\n", YearError, ["line 2", "6 characters: digits and signs"]),
    "year is absent": (f"{HEADER}\n{line('')}\n", YearError, ["line 2", "empty"]),
    "all missing": (
        f"{HEADER}\n{line(1961, ['999.90'] * 12)}\n",
        NothingObservedError,
        ["all 12 months are missing"],
    ),
    "latin-1 cell": (
        f"{HEADER}\n{line(1961)}\n{with_cell('JUN', '20°', 1962)}\n".encode("latin-1"),
        UnreadableFileError,
        ["line 3", "column JUN", "not UTF-8", "save it as UTF-8"],
    ),
    "latin-1 header": (
        f"{HEADER.replace('metANN', 'média')}\n{line(1961)}\n".encode("latin-1"),
        UnreadableFileError,
        ["line 1", "not UTF-8"],
    ),
    "utf-16 without its mark": (
        f"{HEADER}\n{line(1961)}\n".encode("utf-16-le"),
        UnreadableFileError,
        ["looks like UTF-16 without its mark; save it as UTF-8"],
    ),
}


@pytest.mark.parametrize(("content", "error", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_named_with_line_column_and_remedy(content, error, words):
    with pytest.raises(error, match=r"^station_x\.csv") as caught:
        parse(content)
    assert isinstance(caught.value, BadStationError)
    assert isinstance(caught.value, ValueError)
    for word in words:
        assert word in str(caught.value)


def test_nothing_on_or_after_the_cutoff_is_kept_or_checked():
    text = f"{HEADER}\n{line(1961)}\n{with_cell('NOV', 'soon', 1962)}\n{line(1963, ['?'] * 12)}\n"
    table = parse(text, before=date(1962, 11, 1))
    assert table["date"].max() == date(1962, 10, 1)
    with pytest.raises(CellError, match="line 3, column NOV"):
        parse(text, before=date(1962, 12, 1))


def test_the_table_depends_only_on_what_is_before_the_cutoff():
    # A faulty line that was added later must not break a backfill of an older month.
    text = f"{HEADER}\n{line(1961)}\n{line(1963)}\n{line(1963)}\n"
    assert parse(text, before=date(1962, 1, 1)).equals(parse(f"{HEADER}\n{line(1961)}\n"))


def test_a_cutoff_before_the_first_observation_names_that_month():
    cells = ["999.90"] * 11 + ["20.00"]
    with pytest.raises(NothingBeforeCutoffError, match="the first one is 1961-12") as caught:
        parse(f"{HEADER}\n{line(1961, cells)}\n", before=date(1961, 6, 1))
    assert caught.value.first == date(1961, 12, 1)


def test_an_all_missing_file_is_not_mistaken_for_an_early_cutoff():
    with pytest.raises(NothingObservedError) as caught:
        parse(f"{HEADER}\n{line(1961, ['999.90'] * 12)}\n", before=date(1961, 6, 1))
    assert not isinstance(caught.value, NothingBeforeCutoffError)


def test_places_count_blank_lines_and_what_stands_above_the_header():
    station = read(f"A title\n\n{HEADER}\n{line(1961)}\n\n\n{line(1963)}\n")
    assert station.place(date(1961, 2, 1)) == (4, "FEB")
    assert station.place(date(1963, 12, 1)) == (7, "DEC")
    assert station.place(date(1962, 1, 1)) == (0, "JAN")


months = st.lists(st.one_of(st.none(), st.integers(-3000, 4500).map(lambda k: k / 100)), min_size=12, max_size=60)


@settings(max_examples=40, deadline=None)
@given(values=months, newline=st.sampled_from(["\n", "\r\n", "\n\n"]), bom=st.booleans())
def test_any_file_round_trips(values, newline, bom):
    values = values + [None] * (-len(values) % 12)
    cells = ["999.90" if value is None else f"{value:.2f}" for value in values]
    rows = [line(1961 + k, cells[12 * k : 12 * k + 12]) for k in range(len(cells) // 12)]
    text = ("\ufeff" if bom else "") + newline.join([HEADER, *rows]) + newline
    observed = [k for k, value in enumerate(values) if value is not None]
    if not observed:
        with pytest.raises(NothingObservedError):
            parse(text)
        return
    table = parse(text)
    assert table["temperature"].to_list() == values[observed[0] : observed[-1] + 1]
    first = table["date"][0]
    assert (first.year - 1961) * 12 + first.month - 1 == observed[0]
    assert table["date"].is_sorted()


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real station files at {REAL} (RETRAINING_TEST_DATA)")
def test_real_files_keep_every_observed_month():
    for path in sorted(REAL.glob("station_*.csv")):
        table = parse(path.read_bytes())
        # Counted without the parser: month cells that are not the missing code.
        rows = [row.split(",")[1:13] for row in path.read_text().splitlines()[1:]]
        observed = [cell for row in rows for cell in row if not re.fullmatch(r"999\.90?", cell)]
        assert table["temperature"].drop_nulls().to_list() == [float(cell) for cell in observed]
        assert table["date"].max() == date(2019, 10, 1)
