"""The list of series: a table of its own, since Kedro resolves its configuration anew for every task of a fleet.

Its columns: `series`, the id used in file names and on the command line; `label`, shown to people; `file`, its file
under the stations folder.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from typing import Any

import fsspec
from kedro.io import AbstractDataset

from tracked_kedro.kedro_side.locations import project_path

COLUMNS = ("series", "label", "file")
#: A further column, where there is one: series of one climate, say, that stand in for a short history among them.
GROUP = "group"
# Of the trigger form: a field to choose from, with more of them, helps nobody and would make every DAG file large.
MOST_CHOICES = 200
LONGEST_ID = 100  # bytes; a file's name may have 255, and says more than the id
_ID = re.compile(r"\w[\w.-]*")

Entries = dict[str, dict[str, str]]


class SeriesListError(ValueError):
    """The list of series cannot be used; the message names file, line and remedy."""


def read_series(address: str) -> Entries:
    """Label and file of each series, by id, in the order of the file. Ids differ in more than their case.

    Args:
        address: a CSV file (UTF-8, with header) on any file system that fsspec knows.

    Raises:
        SeriesListError: the file is absent, lacks a column, or a line has no usable id, or one that stands above.
    """
    try:
        with fsspec.open(address, "rb") as file:
            # Spreadsheet programs put a byte-order mark in front.
            text = file.read().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise SeriesListError(
            f"{address}: there is no such list of series; correct climate_brazil_series in globals.yml"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SeriesListError(f"{address}, line {line}: not UTF-8; save the file as UTF-8") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(cell.strip() for cell in next(rows, []))
        if header not in (COLUMNS, (*COLUMNS, GROUP)):
            raise SeriesListError(
                f"{address}, line 1: the header must be {','.join(COLUMNS)}, or with {GROUP} after them"
            )
        return _entries(address, rows, header)
    except csv.Error as error:
        raise SeriesListError(f"{address}, line {rows.line_num}: not CSV ({error})") from error


def _entries(address: str, rows: Any, header: tuple[str, ...]) -> Entries:
    entries: Entries = {}
    lines: dict[str, int] = {}
    for row in rows:
        place = f"{address}, line {rows.line_num}"
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) != len(header) or not all(cells[: len(COLUMNS)]):
            raise SeriesListError(f"{place}: write {','.join(COLUMNS)}, each of them")
        series, label, file, *group = cells
        if not _ID.fullmatch(series):
            raise SeriesListError(f"{place}: the id names files; write it with letters, digits, '_', '-' and '.' alone")
        if len(series.encode()) > LONGEST_ID:
            raise SeriesListError(f"{place}: an id names files; write it with at most {LONGEST_ID} bytes")
        same = unicodedata.normalize("NFKC", series).casefold()
        if same in lines:
            # Where case means nothing, the two would share their files.
            raise SeriesListError(f"{place}: the id stands in line {lines[same]} already; choose another")
        lines[same] = rows.line_num
        entries[series] = {"label": label, "file": file} | ({GROUP: group[0]} if any(group) else {})
    if not entries:
        raise SeriesListError(f"{address}: no series; write a line for each ({','.join(COLUMNS)})")
    return entries


def form_choices(address: str) -> Entries | None:
    """The series for the trigger form to choose from; None where there are too many, and the form takes ids as text.

    A relative address starts at the Kedro project's folder, as the catalog's do.
    """
    entries = read_series(address if "://" in address else str(project_path() / address))
    return entries if len(entries) <= MOST_CHOICES else None


class SeriesListDataset(AbstractDataset[None, Entries]):
    """The list of series as a Kedro dataset.

    Args:
        filepath: see `read_series`.
    """

    def __init__(self, filepath: str) -> None:
        self._filepath = filepath

    def load(self) -> Entries:
        """Label and file of each series, by id."""
        return read_series(self._filepath)

    def save(self, data: None) -> None:
        """The list is written by people."""
        raise NotImplementedError("the list of series is read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
