"""From raw station files to the training table, and from the table to the series that are fitted.

Pure functions: a bad station becomes a row of the quarantine with its reason, or an error, by `on_bad_series`. Nothing
dated on or after the cutoff is read, so the same cutoff gives the same table whatever a file says afterwards.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from retraining.pipelines.climate_brazil.errors import (
    BadSeriesError,
    CutoffError,
    TooFewSeriesError,
    UnknownSeriesError,
)
from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.stations.doubtful import Doubted, doubt, in_words
from retraining.pipelines.climate_brazil.stations.holdout import too_old, too_short
from retraining.pipelines.climate_brazil.stations.intake import (
    Entries,
    Partitions,
    Rejected,
    listed,
    read_stations,
    rejection,
    selected,
)
from retraining.pipelines.climate_brazil.stations.parsing import Station
from retraining.pipelines.climate_brazil.structural import Series
from tracked_kedro.month import shifted

logger = logging.getLogger(__name__)


class Intake(NamedTuple):
    """What was read.

    Attributes:
        table: (series, date, temperature in °C, null = missing), sorted by the order of the entries, then date.
        quarantine: series, label, file and reason of what is set aside.
        months: cutoff, month (the one before it), newest_observation, n_series, n_quarantined, flagged_share (of the
            table's observations, those that are doubtful).
        flags: the doubtful observations (`doubtful.SCHEMA`).
    """

    table: pl.DataFrame
    quarantine: pl.DataFrame
    months: dict[str, Any]
    flags: pl.DataFrame


def process_datasets(
    partitions: Partitions,
    entries: Entries,
    series: Sequence[str],
    cutoff: str | date | None,
    contract: Contract,
    *,
    testing_window: int = 0,
    history_start: date | None = None,
    today: date | None = None,
) -> Intake:
    """Read, check and tidy the station files.

    Args:
        partitions: by a file's stem, a function that returns its content.
        entries: label and file of each series, by id; a group where it has one.
        series: ids to read; empty means all entries.
        cutoff: first day that is not read; None means the month after the newest observation that is not doubtful.
        contract: what the tidy table must satisfy.
        testing_window: months that will be held out; a series that they leave too little is set aside. 0: not asked.
        history_start: nothing older will be trained on.
        today: the present day, for tests.

    Raises:
        BadInputError: naming what is wrong and the remedy.
    """
    explicit = _parsed_cutoff(cutoff, today)
    stations, rejected = read_stations(partitions, entries, series, contract, explicit or _this_month(today))
    doubted = doubt(stations, entries, contract)
    newest = _newest(doubted)
    end = explicit or (shifted(newest, 1) if newest else None)
    stations, reasons = _usable(doubted, end, contract, testing_window, history_start)
    rejected += [rejection(key, entries, f"{entries[key]['file']}: {reason}") for key, reason in reasons.items()]
    _check(stations, rejected, contract, len(selected(series, entries)))
    if newest is None or end is None:
        raise CutoffError("every observation is doubtful, so that none tells the newest month; name a cutoff")
    for key, one in stations.items():
        trained = _trained(one, history_start)
        logger.info("%s (%s): %d months observed, %s%s", entries[key]["label"], key, one.observed, one.span, trained)
    table = pl.concat(one.table(key) for key, one in stations.items())
    doubtful = table.join(doubted.kept, on=["series", "date"], how="semi").height
    for (key,), rows in doubted.flags.partition_by("series", as_dict=True, maintain_order=True).items():
        logger.warning("%s (%s) has doubtful observations: %s", entries[str(key)]["label"], key, in_words(rows))
    months = {
        "cutoff": end.isoformat(),
        "month": f"{end - timedelta(days=1):%Y-%m}",
        "newest_observation": newest.isoformat(),
        "n_series": len(stations),
        "n_quarantined": len(rejected),
        "flagged_share": doubtful / table["temperature"].count(),
    }
    quarantine = pl.DataFrame(rejected, schema=dict.fromkeys(Rejected._fields, pl.String), orient="row")
    return Intake(table, quarantine, months, doubted.flags)


def _trained(station: Station, history_start: date | None) -> str:
    """How many months are trained on, where that is not all of them: what the tables of the run count."""
    if history_start is None:
        return ""
    dates = station.table("").filter(pl.col("temperature").is_not_null() & (pl.col("date") >= history_start))
    return "" if dates.height == station.observed else f"; {dates.height} of them since {history_start:%Y-%m} are used"


def _usable(
    doubted: Doubted, end: date | None, contract: Contract, testing_window: int, history_start: date | None
) -> tuple[dict[str, Station], dict[str, str]]:
    """Series that can be trained, cut before `end`, and why the others are set aside."""
    reasons, stations = dict(doubted.reasons), {}
    for key, one in doubted.stations.items():
        # Later months are those that only a doubtful cell claims to have seen.
        cut = one.until(end) if end else one
        if cut is None:
            reasons[key] = f"no observation before {end}"
        else:
            stations[key] = cut
    if stations and testing_window:
        table = pl.concat(one.table(key) for key, one in stations.items())
        if contract.on_short_series == "borrow":
            reasons |= too_old(table, history_start)
        else:
            reasons |= too_short(table, testing_window, history_start=history_start)
    return {key: one for key, one in stations.items() if key not in reasons}, reasons


def _check(stations: Mapping[str, Station], rejected: Sequence[Rejected], contract: Contract, asked: int) -> None:
    for row in rejected:
        logger.warning("%s (%s) is set aside: %s", row.label or "unknown station", row.series, row.reason)
    if rejected and contract.on_bad_series == "fail":
        raise BadSeriesError(
            f"{listed(rejected)}\nCorrect these, or set on_bad_series: quarantine to go on without them"
        )
    needed = min(contract.min_series, asked or contract.min_series)
    if len(stations) < max(needed, 1):
        raise TooFewSeriesError(
            f"{len(stations)} usable series remain, min_series asks for {needed}. Set aside:\n{listed(rejected)}"
        )


def series_ids(table: pl.DataFrame) -> list[str]:
    """Ids in the order of the table, which is the order of the entries in conf."""
    return table["series"].unique(maintain_order=True).to_list()


def to_series(table: pl.DataFrame, series_id: str) -> Series:
    """One series on a complete monthly grid, NaN where a month is missing; values in °C."""
    rows = table.filter(pl.col("series") == series_id).sort("date")
    if rows.is_empty():
        raise UnknownSeriesError(f"no series {series_id!r} in the table; it has {', '.join(series_ids(table))}")
    months = rows["date"].to_numpy().astype("datetime64[M]")
    values = np.full(int((months[-1] - months[0]).astype(int)) + 1, np.nan)
    values[(months - months[0]).astype(int)] = rows["temperature"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return Series(series_id, months[0], values)


def data_digest(table: pl.DataFrame) -> str:
    """First 16 hex digits of the SHA-256 over the (date, temperature) rows, dates sorted.

    Written out as text, not taken from polars' own hash, which may differ between its versions.
    """
    rows = table.select("date", pl.col("temperature").fill_nan(None)).sort("date").iter_rows()
    text = "".join(f"{day.isoformat()},{'' if value is None else repr(float(value))}\n" for day, value in rows)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _newest(doubted: Doubted) -> date | None:
    """The newest month that is observed beyond doubt."""
    if not doubted.stations:
        return None
    table = pl.concat(one.table(key) for key, one in doubted.stations.items()).drop_nulls("temperature")
    newest = table.join(doubted.kept, on=["series", "date"], how="anti")["date"].max()
    assert newest is None or isinstance(newest, date)
    return newest


def _parsed_cutoff(cutoff: str | date | None, today: date | None) -> date | None:
    if cutoff is None:
        return None
    try:
        day = cutoff if isinstance(cutoff, date) else date.fromisoformat(cutoff)
    except ValueError as error:
        raise CutoffError(f"cutoff {cutoff!r} is not a date; write the first of a month, such as 2019-11-01") from error
    day = day.date() if isinstance(day, datetime) else day
    if day.day != 1:
        raise CutoffError(f"cutoff {day} is not the first of a month; write {day:%Y-%m}-01 or {shifted(day, 1)}")
    if day > _this_month(today):
        raise CutoffError(
            f"cutoff {day} is in the future: {_this_month(today)} is the latest that leaves out the unfinished month"
        )
    return day


def _this_month(today: date | None) -> date:
    return (today or datetime.now(UTC).date()).replace(day=1)
