"""The shapes in which people have such files: what is certain is read, the rest is set aside without being quoted.

docs/climate_brazil.md has the same table.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DataCatalog

from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.stations.cells import numbers, shape
from retraining.pipelines.climate_brazil.stations.dates import month_numbers
from retraining.pipelines.climate_brazil.stations.processing import process_datasets
from tests.pipelines.climate_brazil.test_processing import CATALOG

YEARS = range(1990, 2000)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
PORTUGUESE = ("Janeiro", "Fev", "Março", "Abr.", "Mai", "Junho", "Jul", "Agosto", "Set", "Outubro", "Nov", "DEZ")
SECRET = "hunter2"
# Months between the first months of quarters.
QUARTERS = ("02", "03", "05", "06", "08", "09", "11", "12")

_NOISE = np.random.default_rng(0).normal(0, 0.7, (len(YEARS), 12))
VALUES = np.round(25 + 3 * np.cos(np.arange(12) / 6 * np.pi) + _NOISE, 2)
MISSING = {(1991, 3), (1991, 4), (1995, 12)}
CONTRACT = Contract(min_months=24)


def cell(year: int, month: int, missing: str = "999.90") -> str:
    return missing if (year, month) in MISSING else f"{VALUES[year - YEARS[0], month - 1]:.2f}"


def wide(
    delimiter: str = ",",
    end: str = "\n",
    header: tuple[str, ...] = ("YEAR", *MONTHS),
    missing: str = "999.90",
    year: Callable[[int], str] = str,
    value: Callable[[str], str] = str,
) -> str:
    rows = [header, *([year(y), *(value(cell(y, m, missing)) for m in range(1, 13))] for y in YEARS)]
    return end.join(delimiter.join(row) for row in rows) + end


def long(
    day: Callable[[date], str] = str, delimiter: str = ",", header: str = "date,value", missing: str = "", **more: str
) -> str:
    rows = [
        delimiter.join([*more.values(), day(date(y, m, 1)), cell(y, m, missing)]) for y in YEARS for m in range(1, 13)
    ]
    return "\n".join([header, *rows]) + "\n"


def indexed(text: str) -> str:
    first, *rows = text.splitlines()
    return "\n".join([f",{first}", *(f"{number},{row}" for number, row in enumerate(rows))])


def float32(text: str) -> str:
    return repr(float(np.float32(text)))


def last_day(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


PLAIN = wide()
READ: dict[str, str | bytes] = {
    "season columns": "\n".join(f"{row},D-J-F,x" for row in PLAIN.splitlines()),
    "months in another order": wide(header=("YEAR", *MONTHS)),
    "index column": indexed(PLAIN),
    "float years": wide(year=lambda year: f"{year}.0"),
    "float32": wide(value=float32),
    "empty cells": wide(missing=""),
    "NaN": wide(missing="NaN"),
    "NA": wide(missing="NA"),
    "null": wide(missing="null"),
    "stars": wide(missing="***"),
    "trailing commas in rows": PLAIN.replace("\n", ",\n").replace(",\n", "\n", 1),
    "trailing commas everywhere": PLAIN.replace("\n", ",,\n"),
    "semicolons": wide(";"),
    "semicolons and decimal commas": wide(";", value=lambda text: text.replace(".", ",")),
    "quoted decimal commas": wide(value=lambda text: f'"{text.replace(".", ",")}"'),
    "tabs": wide("\t"),
    "tabs and decimal commas": wide("\t", value=lambda text: text.replace(".", ",")),
    "CR": wide(end="\r"),
    "CR LF": wide(end="\r\n"),
    "blank lines": wide(end="\n\n"),
    "BOM": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16": PLAIN.encode("utf-16"),
    "title": f"GISS Surface Temperature, Rio de Janeiro (1990-1999)\n\n{PLAIN}",
    "comments": f"# station 303837810000\n# units: degrees, JAN to DEC\n{PLAIN}",
    "Latin-1 title": "Estação meteorológica\n".encode("latin-1") + PLAIN.encode(),
    "spreadsheet's separator line": "sep=;\n" + wide(";"),
    "lower case": wide(header=("year", *(month.lower() for month in MONTHS))),
    "title case": wide(header=("Year", *(month.title() for month in MONTHS))),
    "Portuguese": wide(header=("Ano", *PORTUGUESE)),
    "Portuguese, accents apart": unicodedata.normalize("NFD", wide(header=("ANO", *PORTUGUESE))),
    "quoted header": wide(header=tuple(f'"{name}"' for name in ("YEAR", *MONTHS))),
    "quoted and spaced": wide(" , ", value=lambda text: f'"{text}"'),
    "long": long(),
    "long, no missing rows": "".join(row for row in long().splitlines(keepends=True) if not row.endswith(",\n")),
    "long, months": long(lambda day: f"{day:%Y-%m}", header="month,temperature"),
    "long, compact": long(lambda day: f"{day:%Y%m}", header="ds,y"),
    "long, time stamps": long(lambda day: f"{day}T00:00:00Z", header="Datetime,Temp (°C)"),
    "long, Brazilian": long(
        lambda day: f"{day:%d/%m/%Y}", ";", "Data;Valor"
    ).replace(".", ","),
    "long, month/year": long(lambda day: f"{day:%m/%Y}", header="date,value"),
    "long, year and month": long(lambda day: f"{day.year},{day.month}", header="year,month,value"),
    "long, year and month name": long(
        lambda day: f"{day.year},{PORTUGUESE[day.month - 1]}", header="ano,mês,temperatura"
    ),
    "long, month names": long(lambda day: f"{MONTHS[day.month - 1].title()}-{day.year}"),
    "long, dates with month names": long(lambda day: f"01-{PORTUGUESE[day.month - 1][:3].lower()}-{day.year}"),
    "long, month names in words": long(lambda day: f"{PORTUGUESE[day.month - 1]} de {day.year}"),
    "long, year and month name in one": long(lambda day: f"{day.year}-{MONTHS[day.month - 1]}"),
    "long, M": long(lambda day: f"{day:%YM%m}"),
    "long, midnight in Brazil": long(lambda day: f"{day}T03:00:00Z"),
    "long, last minute": long(lambda day: f"{last_day(day)} 23:59:59"),
    "mark twice": b"\xef\xbb\xbf\xef\xbb\xbf" + PLAIN.encode(),
    "long, newest first": "\n".join(["date,value", *reversed(long().splitlines()[1:])]),
    "long, index column": indexed(long()),
}  # fmt: skip


def spoilt(text: str) -> str:
    """The text in the place of March 1993."""
    return PLAIN.replace(cell(1993, 3), text)


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "dash": (spoilt("-"), "line 5, column MAR: 1 character: signs"),
    "text": (spoilt(SECRET), "line 5, column MAR: 7 characters: letters and digits"),
    "decimal comma in a comma file": (spoilt(cell(1993, 3).replace(".", ",")), "line 5: 14 cells below a header of 13"),
    "decimal comma beside points": (wide(";").replace(cell(1993, 3), "25,1"), "line 5, column MAR: 4 characters"),
    "thousands": (wide(";").replace(cell(1993, 3), "1.025,10"), "line 5, column MAR: 8 characters"),
    "row names without a header": (PLAIN.replace("\n", "\nr", 10).replace("\nr", "\nr,"), "line 2: 14 cells"),
    "line cut short": (PLAIN[:-20], "line 11, column"),
    "years twice": (PLAIN + PLAIN.splitlines()[-1], "lines 11 and 12, column YEAR"),
    "years backwards": ("\n".join([PLAIN.splitlines()[0], *PLAIN.splitlines()[:0:-1]]), "line 3, column YEAR"),
    "part of a year": (PLAIN.replace("1993", "1993.5"), "line 5, column YEAR: 6 characters"),
    "a footer": (PLAIN + f"source: {SECRET}", "line 12, column YEAR: 15 characters"),
    "a month lacking": (wide(header=("YEAR", *MONTHS[:-1], SECRET)), "line 1: the header lacks DEC"),
    "a month twice": (wide(header=("YEAR", *MONTHS, "NOV")), "line 1: the header has NOV more than once"),
    "columns by width": (PLAIN.replace(",", "  "), "line 1: no header"),
    "no header": (PLAIN.partition("\n")[2], "line 1: no header"),
    "Latin-1": (PLAIN.replace("1993", "1993°").encode("latin-1"), "line 5, column YEAR: the file is not UTF-8"),
    "UTF-16 without its mark": (PLAIN.encode("utf-16-le"), "the file looks like UTF-16 without its mark"),
    "gzip": (gzip.compress(PLAIN.encode()), "the file is compressed by gzip; unpack it"),
    "workbook": (b"PK\x03\x04" + bytes(200), "the file is a workbook (.xlsx) or a zip archive"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "the file is a workbook (.xls)"),
    "a month in Spanish": (PLAIN.replace("JAN", "ENE"), "line 1: the header lacks JAN"),
    "a minus of typesetters": (spoilt("\u22125.10"), "line 5, column MAR: 5 characters: digits and signs"),
    "open quotation mark": (spoilt(f'"{SECRET}'), "line 5: a quotation mark is not closed"),
    "page": (f"\n <html><p>{SECRET}</p></html>", "the file is a page or XML, no table"),
    "JSON": (f'{{"error": "{SECRET}"}}', "the file is JSON, no table"),
    "pointer": (f"version https://git-lfs.github.com/spec/v1\noid {SECRET}", "the file is a pointer of Git LFS"),
    "Parquet": (b"PAR1" + bytes(range(200)), "the file is Parquet; save the table as CSV"),
    "UTF-32": (PLAIN.encode("utf-32"), "the file is UTF-32; save it as UTF-8"),
    "two values": (
        f"date,{SECRET},tmax\n1990-01-01,25.1,25.2\n",
        "line 1: the header has DATE, and no column of values",
    ),
    "month names and two digits": (long(lambda day: f"{MONTHS[day.month - 1]}-{day:%y}"), "line 2, column DATE"),
    "the evening before": (
        long(lambda day: f"{day - timedelta(days=1)}T23:00:00Z"),
        "line 2, column DATE: 20 characters",
    ),
    "the last minute, two hours later": (long(lambda day: f"{day}T01:59:59Z"), "line 2, column DATE: 20 characters"),
    "quarters": (
        "".join(row for row in long().splitlines(keepends=True) if row[5:7] not in QUARTERS),
        "one value every 3 months",
    ),
    "days of many years": ("date,value\n" + "1990-01-01,25\n" * 120_001, "120,003 lines are no months of one series"),
    "padding": (PLAIN.encode() + bytes(200), "line 12, column YEAR: 200 characters: control characters"),
    "no decimal year is a month": (long(lambda day: f"{day.year + day.month / 12:.3f}"), "line 2, column DATE"),
    "days of a month": (
        "date,value\n1990-01-01,25.1\n1990-01-02,25.2\n",
        "lines 2 and 3, column DATE: 1990-01",
    ),
    "day or month": ("date,value\n01/02/1990,25\n02/03/1990,25\n", "line 2, column DATE: 10 characters"),
    "a date of words": (f"date,value\n{SECRET} 1990,25\n", "line 2, column DATE: 12 characters: letters, digits and"),
    "degrees Fahrenheit": (long(header="date,temp (°F)"), "line 1: the header has DATE, and no column of values"),
}


def catalog(folder: Path, files: dict[str, str | bytes]) -> dict:
    folder.mkdir()
    for name, content in files.items():
        (folder / f"station_{name}.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return DataCatalog.from_config({"raw": yaml.safe_load(CATALOG.format(folder=folder))}).load("raw")


def process(partitions: dict, entries: dict) -> tuple[pl.DataFrame, pl.DataFrame]:
    intake = process_datasets(partitions, entries, [], None, CONTRACT, today=date(2001, 1, 1))
    return intake.table, intake.quarantine


def entries_of(names: list[str]) -> dict:
    return {name: {"label": name, "file": f"station_{name}.csv"} for name in names}


def test_a_folder_in_which_every_file_has_another_shape(tmp_path: Path) -> None:
    files = {f"read_{number}": content for number, content in enumerate(READ.values())}
    files |= {f"refused_{number}": content for number, (content, _) in enumerate(REFUSED.values())}
    table, quarantine = process(catalog(tmp_path / "s", {"plain": PLAIN, **files}), entries_of(["plain", *files]))
    expected = table.filter(pl.col("series") == "plain").drop("series")
    assert (expected.height, expected["temperature"].null_count()) == (120, len(MISSING))
    for number, name in enumerate(READ):
        one = table.filter(pl.col("series") == f"read_{number}").drop("series")
        assert one.equals(expected), name
    reasons = dict(quarantine.select("series", "reason").iter_rows())
    assert sorted(reasons) == sorted(f"refused_{number}" for number in range(len(REFUSED)))
    for number, (name, (_, words)) in enumerate(REFUSED.items()):
        reason = reasons[f"refused_{number}"]
        assert re.match(rf"station_refused_{number}\.csv[,:] {re.escape(words)}", reason), (name, reason)
        assert SECRET not in reason


def test_one_file_holds_many_series_and_a_bad_row_costs_its_own_alone(tmp_path: Path) -> None:
    header, *rows = long(header="station;date;value", delimiter=";", station="Belém").splitlines()
    accents_apart = [unicodedata.normalize("NFD", row) for row in rows]
    others = [[row.replace("Belém", name) for row in rows] for name in ("rio", "SUL", "nobody's")]
    others[1][5] = f"SUL;1990-06-01;{SECRET}"
    text = "\n".join([header, *(row for rows in zip(accents_apart, *others, strict=True) for row in rows)])
    labels = {"belem": "Belém", "rio": "Rio de Janeiro", "sul": "Sul", "absent": "Absent"}
    entries = {name: {"label": label, "file": "station_all.csv"} for name, label in labels.items()}
    table, quarantine = process(catalog(tmp_path / "s", {"all": text}), entries)
    belem, rio = (table.filter(pl.col("series") == name).drop("series") for name in ("belem", "rio"))
    assert belem.height == 120
    assert belem.equals(rio)
    reasons = dict(quarantine.select("series", "reason").iter_rows())
    assert list(reasons) == ["sul", "absent"]
    # The header, then four lines a month: that of June of the third series.
    assert reasons["sul"].startswith("station_all.csv, line 24, column VALUE: 7 characters: letters and digits")
    assert "names neither 'absent' nor its label" in reasons["absent"]


def test_a_file_whose_name_has_its_accents_apart_is_found(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "macapá")
    entries = {"macapa": {"label": "Macapá", "file": "station_macapá.csv"}}
    table, quarantine = process(catalog(tmp_path / "s", {apart: PLAIN}), entries)
    assert (table.height, quarantine.height) == (120, 0)


def test_a_file_that_breaks_the_reader_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from retraining.pipelines.climate_brazil.stations import intake

    real = intake.parse_station

    def broken(sheet, *, file, **options):
        if file == "station_b.csv":
            raise IndexError(SECRET)
        return real(sheet, file=file, **options)

    monkeypatch.setattr(intake, "parse_station", broken)
    table, quarantine = process(catalog(tmp_path / "s", {"a": PLAIN, "b": PLAIN}), entries_of(["a", "b"]))
    assert table["series"].unique().to_list() == ["a"]
    assert quarantine["reason"][0].startswith("station_b.csv: IndexError while it was read")
    assert SECRET not in quarantine["reason"][0]


def test_a_file_that_cannot_be_opened_now_is_no_fault_of_its_series(tmp_path: Path) -> None:
    partitions = catalog(tmp_path / "s", {"a": PLAIN, "b": PLAIN})
    (tmp_path / "s" / "station_b.csv").unlink()
    with pytest.raises(OSError, match=r"station_b\.csv cannot be opened"):
        process(partitions, entries_of(["a", "b"]))


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_the_shape_of_a_text_tells_its_length_and_nothing_of_it(text: str) -> None:
    words = shape(text)
    assert words.startswith(f"{len(text)} character")
    assert set(words) <= set("0123456789 :,abcdefghijklmnopqrstuvwxyz")


@settings(deadline=None)
@given(st.lists(st.integers(-9000, 9000).map(lambda k: k / 100), min_size=1, max_size=30))
def test_numbers_survive_decimal_commas_and_float32(values: list[float]) -> None:
    for write in (repr, lambda value: repr(value).replace(".", ","), lambda value: repr(float(np.float32(value)))):
        read, bad = numbers([write(value) for value in values])
        assert (read.tolist(), bad) == (values, [])


def test_either_number_of_a_date_is_the_month_where_that_is_certain() -> None:
    january, march = 12 * 1990, 12 * 1990 + 2
    assert month_numbers(["01/01/1990", "01/03/1990"]) == [january, march]
    assert month_numbers(["01/01/1990", "03/01/1990"]) == [january, march]
    assert month_numbers(["31/01/1990", "31/03/1990"]) == [january, march]
    assert month_numbers(["01/15/1990", "03/15/1990"]) == [january, march]
    assert month_numbers(["01/02/1990", "02/03/1990"]) == [None, None]
    assert month_numbers(["31/01/1990", "01/31/1990"]) == [None, None]
    assert month_numbers(["1990-13-01", "1990-00-01", "1990-1", "90-01-01"]) == [None] * 4
