"""The bytes of a raw file as a header and rows of text, whatever program has written them.

What is certain is read: UTF-8 or UTF-16 with its mark, any line ends, commas, semicolons or tabs, quotes, lines above
the header, columns that mean nothing here. The rest is refused with its place; what it says is never shown.
"""

from __future__ import annotations

import codecs
import csv
from typing import NamedTuple

from retraining.pipelines.climate_brazil.errors import HeaderError, UnreadableFileError
from retraining.pipelines.climate_brazil.stations.cells import shape
from retraining.pipelines.climate_brazil.stations.names import (
    DATE,
    MONTH,
    MONTHS,
    SERIES,
    VALUE,
    YEAR,
    meanings,
)

_DELIMITERS = (",", ";", "\t")
# Lines above the header that may be titles.
_TITLES = 20
_WIDE = (YEAR, *MONTHS)
_LAYOUTS = (_WIDE, (DATE, VALUE), (YEAR, MONTH, VALUE), (MONTH, VALUE))
_EXPECTED = f"Expected {','.join(_WIDE)}, or date,value, or series,date,value"
_NOT_UTF_8 = "the file is not UTF-8 (Latin-1?); save it as UTF-8"
# What a file begins with that is no text, whatever it is called.
_NO_TEXT = {
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"PK\x03\x04": "a workbook (.xlsx) or a zip archive; save the table as CSV",
    b"\xd0\xcf\x11\xe0": "a workbook (.xls); save the table as CSV",
    b"BZh": "compressed by bzip2; unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it",
    b"\xfd7zXZ": "compressed by xz; unpack it",
    b"PAR1": "Parquet; save the table as CSV",
    b"SQLite format 3": "a database; save the table as CSV",
    codecs.BOM_UTF32_LE: "UTF-32; save it as UTF-8",
}
# What a text without a header begins with that is no table.
_NO_TABLE = {
    "<": "a page or XML, no table (an error page?); fetch the file again",
    "{": "JSON, no table; save it as CSV",
    "[": "JSON, no table; save it as CSV",
    "version https://git-lfs": "a pointer of Git LFS, not the file; run git lfs pull",
}
# A monthly series of ten thousand years.
_LONGEST = 120_000


class Row(NamedTuple):
    """One line below the header: its number (the file's first line is 1) and its cells, without blanks at the ends."""

    line: int
    cells: list[str]


class Sheet(NamedTuple):
    """A raw file as text.

    Attributes:
        columns: position of each column that means something (`names.meanings`).
        rows: lines that are not blank.
    """

    columns: dict[str, int]
    rows: list[Row]

    @property
    def is_wide(self) -> bool:
        """Whether a line is a year with twelve months, and not one month."""
        return all(name in self.columns for name in _WIDE)


def read_sheet(content: bytes, file: str) -> Sheet:
    """Find header and rows.

    Args:
        content: of the file.
        file: its name, for messages.

    Raises:
        BadStationError: naming file, line and remedy.
    """
    if not content.strip():
        raise UnreadableFileError(f"{file}: the file is empty; fetch it again (make data) or remove it")
    text = _decoded(content, file)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    above, delimiter, header, columns = _header(lines, file)
    names = {position: name for name, position in columns.items()}
    if SERIES not in columns and len(lines) > _LONGEST:
        raise UnreadableFileError(
            f"{file}: {len(lines):,} lines are no months of one series; keep one row a month, or name a column series"
        )
    rows = []
    for number, line in enumerate(lines[above + 1 :], start=above + 2):
        cells = _cells(line, delimiter, file, number)
        if not any(cells):
            continue
        if "\ufffd" in line:
            bad = next(place for place, cell in enumerate(cells) if "\ufffd" in cell)
            column = f", column {names[bad]}" if bad in names else f", cell {bad + 1}"
            raise UnreadableFileError(f"{file}, line {number}{column}: {_NOT_UTF_8}")
        if any(cells[len(header) :]):
            raise UnreadableFileError(
                f"{file}, line {number}: {len(cells)} cells below a header of {len(header)}: a line has more cells "
                "than the header (a decimal comma?); correct the line, or name every column"
            )
        rows.append(Row(number, cells))
    if not rows:
        raise UnreadableFileError(
            f"{file}: there is a header but no row below it; fetch it again (make data) or remove it"
        )
    return Sheet(columns, rows)


def _decoded(content: bytes, file: str) -> str:
    """One bad byte is a replacement character, so that its place can be named."""
    for begin, what in _NO_TEXT.items():
        if content.startswith(begin):
            raise UnreadableFileError(f"{file}: the file is {what}")
    if 0 in content[:2]:
        raise UnreadableFileError(f"{file}: the file looks like UTF-16 without its mark; save it as UTF-8")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace").lstrip("\ufeff")
    return content.decode("utf-8", errors="replace").lstrip("\ufeff")


def _cells(line: str, delimiter: str, file: str, number: int) -> list[str]:
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    if line.count('"') % 2:
        raise UnreadableFileError(f"{file}, line {number}: a quotation mark is not closed; correct the line")
    return [cell.strip(' \t"') for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _header(lines: list[str], file: str) -> tuple[int, str, list[str], dict[str, int]]:
    """Number of lines above the header, delimiter, its cells, and the columns that are needed."""
    closest: tuple[int, str, int] = (0, "", 0)
    for above, line in enumerate(lines[: _TITLES + 1]):
        for delimiter in _DELIMITERS:
            if delimiter not in line or line.count('"') % 2:
                continue
            header = _cells(line, delimiter, file, above + 1)
            found = meanings(header)
            place = f"{file}, line {above + 1}"
            layout = next((one for one in _LAYOUTS if all(name in found for name in one)), None)
            if layout is None:
                # Nearly a header: the fault is worth naming. Two words of a title may look like a month.
                if len(found) > max(closest[0], 3):
                    closest = (len(found), f"the header lacks {', '.join(_absent(found))}", above + 1)
                elif not closest[0] and DATE in found and len(header) > 1:
                    closest = (0, "the header has DATE, and no column of values; call that one value", above + 1)
                continue
            if "\ufffd" in line or "\0" in line:
                raise UnreadableFileError(f"{place}: {_NOT_UTF_8}")
            needed = (*layout, *((SERIES,) if SERIES in found else ()))
            twice = [name for name in needed if len(found[name]) > 1]
            if twice:
                raise HeaderError(f"{place}: the header has {', '.join(twice)} more than once; keep one column of each")
            while header and not header[-1]:
                header.pop()  # a trailing delimiter is no column
            return above, delimiter, header, {name: found[name][0] for name in needed}
    if "\0" in lines[0] or "\ufffd" in lines[0]:
        raise UnreadableFileError(f"{file}, line 1: {_NOT_UTF_8}")
    first = next((line.lstrip() for line in lines if line.strip()), "")
    if said := next((said for begin, said in _NO_TABLE.items() if first.startswith(begin)), None):
        raise UnreadableFileError(f"{file}: the file is {said}")
    _, what, line_number = closest
    what = what or f"no header among the first {_TITLES + 1} lines (line 1 has {shape(lines[0])}); it lacks YEAR"
    raise HeaderError(f"{file}, line {line_number or 1}: {what}. {_EXPECTED}, separated by commas, semicolons or tabs")


def _absent(found: dict[str, list[int]]) -> list[str]:
    return [name for name in _WIDE if name not in found]
