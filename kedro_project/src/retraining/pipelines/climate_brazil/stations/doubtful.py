"""What becomes of doubtful observations: told with line and column, taken for missing, or their series set aside."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.stations import flags
from retraining.pipelines.climate_brazil.stations.intake import Entries
from retraining.pipelines.climate_brazil.stations.parsing import Station

_SHOWN = 3  # of a series, in words
#: Of the table of flags: one row per doubtful observation.
SCHEMA = {
    "series": pl.String,
    "file": pl.String,
    "line": pl.Int64,
    "column": pl.String,
    **{name: kind for name, kind in flags.SCHEMA.items() if name != "series"},
}


class Doubted(NamedTuple):
    """Outcome of looking for doubtful observations.

    Attributes:
        stations: those that are used, without what was taken for missing.
        flags: rows of `SCHEMA`, of every series that was read.
        kept: the flags whose observation is used all the same.
        reasons: why a series is set aside.
    """

    stations: dict[str, Station]
    flags: pl.DataFrame
    kept: pl.DataFrame
    reasons: dict[str, str]


def doubt(stations: dict[str, Station], entries: Entries, contract: Contract) -> Doubted:
    """Flag the observations of all series together, and do with them what `contract.flags.action` says."""
    rules = contract.flags
    if not stations:
        nothing = pl.DataFrame(schema=SCHEMA)
        return Doubted({}, nothing, nothing, {})
    groups = {key: str(entries[key]["group"]) for key in stations if entries[key].get("group")}
    found = flags.find_flags(pl.concat(one.table(key) for key, one in stations.items()), groups, rules)
    found = _located(found, stations, entries)
    if rules.action == "warn" or found.is_empty():
        return Doubted(stations, found, found, {})
    by_series = {key: rows for (key,), rows in found.partition_by("series", as_dict=True, maintain_order=True).items()}
    if rules.action == "quarantine":
        remedy = "correct the file, or set contract.flags.action to warn or missing"
        reasons = {key: f"{in_words(rows)}; {remedy}" for key, rows in by_series.items()}
        return Doubted({key: one for key, one in stations.items() if key not in reasons}, found, found.clear(), reasons)
    used, reasons = dict(stations), {}
    for key, rows in by_series.items():
        one = stations[key].without(rows.filter(pl.col("kind") != flags.JUMP)["date"].to_list())
        if one is None or one.observed < contract.least_months:
            left = 0 if one is None else one.observed
            reasons[key] = f"{left} observed months are left, min_months is {contract.least_months}: {in_words(rows)}"
            del used[key]
        else:
            used[key] = one
    kept = found.filter((pl.col("kind") == flags.JUMP) & pl.col("series").is_in(list(used)))
    return Doubted(used, found, kept, reasons)


def in_words(rows: pl.DataFrame) -> str:
    """The flags of one series: the first few with their place, and how many there are; their cells may be text."""
    shown = [
        f"line {row['line']}, column {row['column']} ({str(row['date'])[:7]}): {float(row['temperature']):g} °C, "
        f"{row['kind']}, {row['reason']}"
        for row in rows.head(_SHOWN).iter_rows(named=True)
    ]
    more = rows.height - len(shown)
    return "; ".join(shown) + (f"; and {more} more doubtful observations" if more else "")


def _located(found: pl.DataFrame, stations: dict[str, Station], entries: Entries) -> pl.DataFrame:
    places = [stations[series].place(month) for series, month in found.select("series", "date").iter_rows()]
    files = [str(entries[series]["file"]) for series in found["series"]]
    return found.with_columns(
        file=pl.Series(files, dtype=pl.String),
        line=pl.Series([line for line, _ in places], dtype=pl.Int64),
        column=pl.Series([column for _, column in places], dtype=pl.String),
    ).select(SCHEMA.keys())
