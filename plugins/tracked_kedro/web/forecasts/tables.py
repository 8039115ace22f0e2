"""The page's tables, read from Parquet files that anybody may have written who may write to the tracking server.

What comes out has the columns and types that the page counts on, and numbers that can be drawn and added up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from tracked_kedro.web.tracking import UnreadableError

MEBIBYTE = 2**20
_EARLIEST, _LATEST = date(1600, 1, 1), date(9000, 1, 1)
_EPOCH = date(1970, 1, 1)
_LARGEST = 1e100  # its square is a number still
_LONGEST_TEXT = 2_000  # bytes
_LONGEST_LIST = 240  # a sparkline has no more points
_COLUMNS = 200
_PLAIN = (pl.String, pl.Boolean, pl.Date, pl.Datetime)

_NUMBERS = ("mean", "sd", "q025", "q10", "q25", "q50", "q75", "q90", "q975", "observed")
_SCORES = ("next_mean", "next_q10", "next_q90", "rmse", "crps", "coverage_80", "skill_vs_seasonal_naive")


@dataclass(frozen=True)
class Table:
    """A kind of table.

    Attributes:
        columns: types of those that the page reads; one that the file lacks is empty, any other plain one is kept.
        keys: columns without which a row is nothing.
        unique: of the keys, one row each.
        most_bytes: of the file.
        most_rows: in it.
        most_values: in it, those within lists counted one by one: a small file can hold very many.
    """

    columns: dict[str, Any]
    keys: tuple[str, ...]
    most_bytes: int
    most_rows: int
    most_values: int
    unique: bool = False


OVERVIEW = Table(
    columns={
        **dict.fromkeys(("series", "label", "status", "reason", "child_run_id"), pl.String),
        **dict.fromkeys(("degraded", "stale"), pl.Boolean),
        **dict.fromkeys(("last_observation", "next_date"), pl.Date),
        "age_months": pl.Int64,
        **dict.fromkeys(_SCORES, pl.Float64),
        "recent": pl.List(pl.Float64),
    },
    keys=("series",),
    most_bytes=64 * MEBIBYTE,
    most_rows=100_000,
    most_values=10_000_000,
    unique=True,
)
FORECASTS = Table(
    columns={
        **dict.fromkeys(("series", "kind"), pl.String),
        "date": pl.Date,
        "horizon": pl.Int64,
        **dict.fromkeys(_NUMBERS, pl.Float64),
    },
    keys=("series", "date"),
    most_bytes=256 * MEBIBYTE,
    most_rows=5_000_000,
    most_values=50_000_000,
)
HISTORY = Table(
    columns={
        "date": pl.Date,
        **dict.fromkeys(("observed", "fitted", "fitted_q10", "fitted_q90", "trend", "seasonal"), pl.Float64),
    },
    keys=("date",),
    most_bytes=16 * MEBIBYTE,
    most_rows=100_000,
    most_values=1_000_000,
)


def read(file: str, table: Table, only: pl.Expr | None = None) -> pl.DataFrame:
    """The table of a file, or those of its rows for which an expression holds.

    Raises:
        UnreadableError: the file is too large, or is not such a table; the message holds nothing of its content.
    """
    _check_size(file, table)
    lazy = _guarded(lambda: pl.scan_parquet(file, glob=False, hive_partitioning=False))
    schema = _guarded(lazy.collect_schema)
    if missing := [key for key in table.keys if key not in schema]:
        raise UnreadableError(f"it has no column {missing[0]}")
    picked = lazy.select(*_columns(schema, table)).drop_nulls(table.keys)
    found = _guarded(lambda: (picked if only is None else picked.filter(only)).collect())
    texts = found.select(pl.selectors.string().str.len_bytes().max())
    if any((longest or 0) > _LONGEST_TEXT for longest in (texts.row(0) if texts.width else ())):
        raise UnreadableError(f"a text in it is longer than {_LONGEST_TEXT} bytes")
    if table.unique and found.select(table.keys).is_duplicated().any():
        raise UnreadableError(f"its column {table.keys[0]} names one twice")
    return found


def _check_size(file: str, table: Table) -> None:
    """Before anything of it is unpacked."""
    from pyarrow.parquet import read_metadata

    if Path(file).stat().st_size > table.most_bytes:
        raise UnreadableError(f"it is larger than {table.most_bytes // MEBIBYTE} MiB")
    metadata = _guarded(lambda: read_metadata(file))
    if metadata.num_columns > _COLUMNS:
        raise UnreadableError(f"it has more than {_COLUMNS} columns")
    groups = (metadata.row_group(place) for place in range(metadata.num_row_groups))
    values = sum(group.column(place).num_values for group in groups for place in range(group.num_columns))
    if metadata.num_rows > table.most_rows:
        raise UnreadableError(f"it holds more than {table.most_rows:,} rows")
    if values > table.most_values:
        raise UnreadableError(f"it holds more than {table.most_values:,} values")


def _columns(schema: pl.Schema, table: Table) -> list[pl.Expr]:
    """The table's columns in its types, then others that can be written into a file as they are."""
    known = [
        _clean(pl.col(name).cast(dtype), dtype) if name in schema else pl.lit(None, dtype).alias(name)
        for name, dtype in table.columns.items()
    ]
    others = [name for name, dtype in schema.items() if name not in table.columns]
    plain = (name for name in others if schema[name].is_numeric() or schema[name] in _PLAIN)
    return known + [_clean(pl.col(name), schema[name]).alias(name) for name in plain]


def _clean(column: pl.Expr, dtype: Any) -> pl.Expr:
    if dtype == pl.Float64:
        return pl.when(column.is_finite() & (column.abs() < _LARGEST)).then(column)
    if dtype == pl.Date:
        return pl.when(column.is_between(_EARLIEST, _LATEST)).then(column)
    if isinstance(dtype, pl.Datetime):
        # Python has no moment in a year of five digits.
        ticks = {"ms": 10**3, "us": 10**6, "ns": 10**9}[dtype.time_unit]
        first, last = (
            max(-(2**63), min(2**63 - 1, (day - _EPOCH).days * 86_400 * ticks)) for day in (_EARLIEST, _LATEST)
        )
        return pl.when(column.to_physical().is_between(first, last)).then(column)
    if dtype == pl.List(pl.Float64):
        return column.list.tail(_LONGEST_LIST).list.eval(_clean(pl.element(), pl.Float64))
    return column


def _guarded(step: Callable[[], Any]) -> Any:
    """A step on a file that may be broken in any way."""
    try:
        return step()
    except (Exception, pl.exceptions.PanicException) as error:
        raise UnreadableError("it is no such table") from error
