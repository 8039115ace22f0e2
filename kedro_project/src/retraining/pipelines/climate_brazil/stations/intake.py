"""The raw files of a run: which are asked for, which can be used, and why the others cannot."""

from __future__ import annotations

import logging
from collections import Counter
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
)
from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.stations.contract import contract_failures
from retraining.pipelines.climate_brazil.stations.files import Files, UnavailableError, stem
from retraining.pipelines.climate_brazil.stations.parsing import Station, parse_station

log = logging.getLogger(__name__)

# Series that an error names: a fleet's ids would fill the log.
_NAMED = 50

Partitions = Mapping[str, Callable[[], bytes]]
Entries = Mapping[str, Mapping[str, Any]]


class Rejected(NamedTuple):
    """A station that is set aside; the quarantine table has these columns, all strings."""

    series: str
    label: str
    file: str
    reason: str


def read_stations(
    partitions: Partitions, entries: Entries, series: Sequence[str], rules: Contract, before: date
) -> tuple[dict[str, Station], list[Rejected]]:
    """The good stations by id, in the order of the entries, and the bad ones."""
    if not partitions:
        raise TooFewSeriesError(
            "no station files (*.csv) in the stations folder; run `make data` or set STATIONS=<folder>"
        )
    chosen = selected(series, entries)
    files = Files(partitions, Counter(str(entries[key]["file"]) for key in chosen or entries))
    stations: dict[str, Station] = {}
    reasons: dict[str, str] = {}
    too_early: list[NothingBeforeCutoffError] = []
    for key in chosen or entries:
        file = str(entries[key]["file"])
        if file not in files:
            reason = f"{file}: the file is absent; fetch it (make data), or remove the entry {key!r} from conf"
            if chosen:
                raise MissingStationError(reason)
            reasons[key] = reason
            continue
        try:
            stations[key] = parse_station(files.sheet(file, key, str(entries[key]["label"])), file=file, before=before)
        except BadStationError as error:
            reasons[key] = str(error)
            if isinstance(error, NothingBeforeCutoffError):
                too_early.append(error)
        except UnavailableError:
            raise
        # Whatever else a file does to the code that reads it costs that file alone.
        except Exception as error:
            log.exception("%s could not be read", file)
            reasons[key] = f"{file}: {type(error).__name__} while it was read; see the log of this task"
    if too_early and not stations and len(too_early) == len(reasons):
        first = min(error.first for error in too_early)
        raise CutoffError(
            f"the cutoff {before} is before the data, which begins in {first:%Y-%m}; choose a later month"
        )
    if stations:
        failures = contract_failures(
            pl.concat(one.table(key) for key, one in stations.items()),
            rules,
            lambda key, month: place(stations[key], month),
        )
        reasons |= {key: f"{entries[key]['file']}: {reason}" for key, reason in failures.items()}
    rejected = [rejection(key, entries, reason) for key, reason in reasons.items()]
    if not chosen:
        rejected += _strangers(partitions, entries)
    return {key: one for key, one in stations.items() if key not in reasons}, rejected


def place(station: Station, month: date) -> str:
    """Where a month stands in its file, in words."""
    line, column = station.place(month)
    return f"line {line}, column {column} ({month:%Y-%m})"


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
    known = {stem(str(entry["file"])) for entry in entries.values()}
    remedy = "unknown station, no entry in conf names this file; add an entry (id, label, file) or remove the file"
    return [
        Rejected(name.removeprefix("station_"), "", f"{name}.csv", f"{name}.csv: {remedy}")
        for name in sorted(partitions)
        if stem(name) not in known
    ]


def listed(rejected: Sequence[Rejected]) -> str:
    """The stations that are set aside with their reasons, one a line."""
    return "\n".join(f"  {row.series}: {row.reason}" for row in rejected) or "  none"
