"""The raw files of a run: which are asked for, which can be used, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from retraining.pipelines.climate_brazil.errors import (
    BadStationError,
    CutoffError,
    MissingStationError,
    NothingBeforeCutoffError,
    TooFewSeriesError,
    UnknownSeriesError,
    UnreadableFileError,
)
from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.stations.contract import contract_failures
from retraining.pipelines.climate_brazil.stations.parsing import MONTHS, check_header, lines_of_years, parse_station

# Series that an error names: a fleet's ids would fill the log.
_NAMED = 50

Partitions = Mapping[str, Callable[[], pl.LazyFrame]]
Entries = Mapping[str, Mapping[str, Any]]


class Rejected(NamedTuple):
    """A station that is set aside; the quarantine table has these columns, all strings."""

    series: str
    label: str
    file: str
    reason: str


def read_stations(
    partitions: Partitions, entries: Entries, series: Sequence[str], rules: Contract, before: date
) -> tuple[dict[str, pl.DataFrame], list[Rejected]]:
    """Tables of the good stations by id, in the order of the entries, and the bad ones."""
    if not partitions:
        raise TooFewSeriesError(
            "no station files (*.csv) in the stations folder; run `make data` or set STATIONS=<folder>"
        )
    chosen = selected(series, entries)
    texts: dict[str, pl.DataFrame] = {}
    tables: dict[str, pl.DataFrame] = {}
    reasons: dict[str, str] = {}
    too_early: list[NothingBeforeCutoffError] = []
    for key in chosen or entries:
        file = str(entries[key]["file"])
        load = partitions.get(file.removesuffix(".csv"))
        if load is None:
            reason = f"{file}: the file is absent; fetch it (make data), or remove the entry {key!r} from conf"
            if chosen:
                raise MissingStationError(reason)
            reasons[key] = reason
            continue
        try:
            texts[key] = _text(load, file)
            tables[key] = parse_station(texts[key], file=file, series=key, before=before)
        except BadStationError as error:
            reasons[key] = str(error)
            if isinstance(error, NothingBeforeCutoffError):
                too_early.append(error)
    if too_early and not tables and len(too_early) == len(reasons):
        first = min(error.first for error in too_early)
        raise CutoffError(
            f"the cutoff {before} is before the data, which begins in {first:%Y-%m}; choose a later month"
        )
    if tables:
        failures = contract_failures(
            pl.concat(tables.values()),
            rules,
            lambda key, month: _place(texts[key], str(entries[key]["file"]), month),
        )
        reasons |= {key: f"{entries[key]['file']}: {reason}" for key, reason in failures.items()}
    rejected = [rejection(key, entries, reason) for key, reason in reasons.items()]
    if not chosen:
        rejected += _strangers(partitions, entries)
    return {key: one for key, one in tables.items() if key not in reasons}, rejected


def rejection(series: str, entries: Entries, reason: str) -> Rejected:
    """One of the entries, set aside."""
    return Rejected(series, str(entries[series]["label"]), str(entries[series]["file"]), reason)


def selected(series: Sequence[str], entries: Entries) -> list[str]:
    """The ids asked for, in the order of the entries; empty where none are."""
    if isinstance(series, str):
        # `kedro run --params climate_brazil.series=belem,rio` hands over a plain string.
        series = [name.strip() for name in series.split(",") if name.strip()]
    unknown = [name for name in dict.fromkeys(series) if name not in entries]
    if unknown:
        raise UnknownSeriesError(f"unknown series: {', '.join(map(repr, unknown))}; allowed are {_named(entries)}")
    return [key for key in entries if key in set(series)]


def _named(entries: Entries) -> str:
    names = list(entries)
    others = f" and {len(names) - _NAMED} others" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + others


def _strangers(partitions: Partitions, entries: Entries) -> list[Rejected]:
    known = {str(entry["file"]).removesuffix(".csv") for entry in entries.values()}
    remedy = "unknown station, no entry in conf names this file; add an entry (id, label, file) or remove the file"
    return [
        Rejected(stem.removeprefix("station_"), "", f"{stem}.csv", f"{stem}.csv: {remedy}")
        for stem in sorted(set(partitions) - known)
    ]


def _text(load: Callable[[], pl.LazyFrame], file: str) -> pl.DataFrame:
    """Reads one partition. Only the file's own faults become its reason; a folder that is gone stays an error."""
    lazy = load().lazy()
    try:
        return lazy.collect()
    except pl.exceptions.NoDataError:
        return pl.DataFrame()
    except pl.exceptions.PolarsError as error:
        # What polars says quotes the file, which an error here must not.
        # A header that lost a month makes every line too long for it; the header is then the thing to name.
        check_header(lazy.collect_schema().names(), file)
        fault = "a line has more cells than the header (a decimal comma?)" if "more fields" in str(error) else "not CSV"
        raise UnreadableFileError(f"{file}: {fault}; correct the file") from None


def _place(text: pl.DataFrame, file: str, month: date) -> str:
    return f"line {lines_of_years(text, file)[month.year]}, column {MONTHS[month.month - 1]} ({month:%Y-%m})"


def listed(rejected: Sequence[Rejected]) -> str:
    """The stations that are set aside with their reasons, one a line."""
    return "\n".join(f"  {row.series}: {row.reason}" for row in rejected) or "  none"
