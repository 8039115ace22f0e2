"""Everything that can be wrong with the input of this pipeline, drawn once.

`BadInputError` is what no retry cures; a `BadStationError` concerns one file and can be set aside.
"""

from __future__ import annotations

from datetime import date


class BadInputError(ValueError):
    """Input that no retry can cure: a file, a series id or a date. The message names it and the remedy."""


class BadStationError(BadInputError):
    """A raw station file that cannot be used."""


class UnreadableFileError(BadStationError):
    """Empty, not UTF-8, or lines that do not fit the header."""


class HeaderError(BadStationError):
    """YEAR or a month is absent from the header, or there twice."""


class YearError(BadStationError):
    """A year that is no year, appears twice, or is out of order."""


class CellError(BadStationError):
    """A month's cell that is no number."""


class FrequencyError(BadStationError):
    """Observations that are not monthly: one value every so many months."""


class NothingObservedError(BadStationError):
    """Every month of the file is missing."""


class NothingBeforeCutoffError(NothingObservedError):
    """The file has observations, all of them on or after the cutoff; `first` is the month of the earliest."""

    def __init__(self, message: str, first: date) -> None:
        super().__init__(message)
        self.first = first


class TooFewSeriesError(BadInputError):
    """Fewer stations than `min_series` are left."""


class UnknownSeriesError(BadInputError):
    """A series id that no entry in conf has."""


class MissingStationError(BadInputError):
    """A series was asked for by id and its file is absent."""


class BadSeriesError(BadInputError):
    """Stations are bad and `on_bad_series` is 'fail'."""


class CutoffError(BadInputError):
    """A cutoff that is no first of a month, lies before the data or in the future."""


class TrainingTooShortError(BadInputError):
    """The held-out months would leave a series too little to train on."""
