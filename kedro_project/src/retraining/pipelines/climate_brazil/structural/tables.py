"""Series of a long table: one row a series and month."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidSeriesError
from .series import PERIOD, Series


class Table(Protocol):
    """A data frame of Polars or pandas, or a dictionary of columns: `table["series"]` is a column."""

    def __getitem__(self, name: str, /) -> Any: ...


def series_of(table: Table, period: int = PERIOD) -> tuple[dict[str, Series], dict[str, str]]:
    """Series by id, and the group of each where the table has a column `group`.

    series_of({"series": ["a", "a"], "date": ["2024-01-01", "2024-02-01"], "value": [1.0, 2.0]})

    Args:
        table: columns `series`, `date` (any day of the month or quarter), `value` (empty or NaN where missing) and, if
            there are any, `group`. Months that are absent are missing.
        period: values a year, 12 or 4.

    Raises:
        InvalidSeriesError: a column is absent, columns differ in length, or a series has a month twice.
    """
    if PERIOD % period:
        raise InvalidSeriesError(f"period={period}: values a year, 12 (months) or 4 (quarters)")
    step = PERIOD // period
    ids = [str(one) for one in _column(table, "series")]
    months = np.array(_column(table, "date"), dtype="datetime64[M]").astype(np.int64) // step
    values = np.array([np.nan if one is None else one for one in _column(table, "value")], dtype=np.float64)
    if not len(ids) == len(months) == len(values):
        raise InvalidSeriesError(
            f"columns differ in length: series {len(ids)}, date {len(months)}, value {len(values)}"
        )
    rows: dict[str, list[int]] = {}
    for row, one in enumerate(ids):
        rows.setdefault(one, []).append(row)
    series = {one: _series(one, months[own], values[own], step) for one, own in rows.items()}
    return series, _groups(table, ids)


def _series(name: str, months: NDArray[np.int64], values: NDArray[np.float64], step: int) -> Series:
    if len(np.unique(months)) < len(months):
        raise InvalidSeriesError(f"series {name!r}: a {'month' if step == 1 else 'quarter'} is there twice")
    laid_out = np.full(int(np.ptp(months)) + 1, np.nan)
    laid_out[months - months.min()] = values
    return Series(name, np.datetime64(int(months.min()) * step, "M"), laid_out, step)


def _column(table: Table, name: str) -> Sequence[Any]:
    try:
        return list(table[name])
    except Exception as error:  # each kind of table has its own
        raise InvalidSeriesError(f"the table has no column {name!r}; it needs series, date and value") from error


def _groups(table: Table, ids: Iterable[str]) -> dict[str, str]:
    columns: Any = getattr(table, "columns", None)
    known = table if isinstance(table, Mapping) else list(columns if columns is not None else [])
    return dict(zip(ids, map(str, _column(table, "group")), strict=True)) if "group" in known else {}
