"""The raw files of a run by name, each opened once however many series it holds."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import cached_property

from retraining.pipelines.climate_brazil.errors import BadStationError, UnreadableFileError
from retraining.pipelines.climate_brazil.stations.names import SERIES, plain
from retraining.pipelines.climate_brazil.stations.parsing import rows_by_series
from retraining.pipelines.climate_brazil.stations.sheet import Row, Sheet, read_sheet
from tracked_kedro.errors import RefusedInputError


class UnavailableError(OSError):
    """A file that was there when the run began cannot be opened now: no fault of its series."""


def stem(file: str) -> str:
    """A file's name without suffix. Some systems take accents apart in the names of files."""
    return unicodedata.normalize("NFC", file).removesuffix(".csv")


class Files:
    """Raw files.

    Args:
        partitions: by a file's stem, a function that returns its content.
        uses: how many series each file is read for.
    """

    def __init__(self, partitions: Mapping[str, Callable[[], bytes]], uses: Mapping[str, int]) -> None:
        self._partitions = {stem(name): load for name, load in partitions.items()}
        self._shared = {file for file, count in uses.items() if count > 1}
        self._opened: dict[str, _Opened] = {}

    def __contains__(self, file: str) -> bool:
        return stem(file) in self._partitions

    def sheet(self, file: str, series: str, label: str) -> Sheet:
        """The rows of one series: those that a series column gives its id or label, where the file has such a column.

        Raises:
            BadStationError: the file cannot be read, or has no such row.
            UnavailableError: it cannot be opened.
        """
        opened = self._opened.get(file) or _Opened(self._content(file), file)
        if file in self._shared:
            self._opened[file] = opened
        return opened.sheet_of(series, label)

    def _content(self, file: str) -> bytes:
        try:
            return self._partitions[stem(file)]()
        except RefusedInputError as error:
            raise UnreadableFileError(f"{file}: {error}") from error
        except Exception as error:
            raise UnavailableError(f"{file} cannot be opened: {error}") from error


class _Opened:
    """One file; what is wrong with it is told for each of its series."""

    def __init__(self, content: bytes, file: str) -> None:
        self._content, self._file = content, file

    @cached_property
    def _sheet(self) -> Sheet | BadStationError:
        try:
            return read_sheet(self._content, self._file)
        except BadStationError as error:
            return error

    @cached_property
    def _rows(self) -> dict[str, list[Row]]:
        assert isinstance(self._sheet, Sheet)
        return rows_by_series(self._sheet)

    def sheet_of(self, series: str, label: str) -> Sheet:
        if isinstance(self._sheet, BadStationError):
            raise self._sheet
        if SERIES not in self._sheet.columns:
            return self._sheet
        rows = self._rows.get(plain(series)) or self._rows.get(plain(label))
        if not rows:
            raise UnreadableFileError(
                f"{self._file}: its series column names neither {series!r} nor its label; correct the file or the entry"
            )
        return self._sheet._replace(rows=rows)
