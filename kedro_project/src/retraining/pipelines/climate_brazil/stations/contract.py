"""What the tidy table (series, date, temperature) promises to everything behind it, and who breaks it.

The rules are a pandera schema; `contract_failures` turns pandera's failure cases into one sentence a series, with the
month, the value and the remedy, because the sentence ends up in a quarantine report that an operator reads.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from retraining.pipelines.climate_brazil.parameters import Contract

if TYPE_CHECKING:
    from pandera.polars import DataFrameSchema

SHOWN = 5  # failures of one kind that a reason spells out

_REMEDY = {
    "value_range": "outside value_range [{low:g}, {high:g}]; correct the file, write 999.90 where the month is missing",
    "min_months": "fewer than min_months = {months}; wait for more data, lower min_months in the parameters, or let it "
    "borrow (on_short_series)",
    "month_start": "not the first of a month; date every row on the first",
    "unique": "a month that appears more than once; keep one row a month",
}


def table_schema(rules: Contract) -> DataFrameSchema:
    """The pandera schema of the tidy table: unique (series, date), month starts, range, enough observed months."""
    # One second of import that only the task which validates should pay.
    import pandera.polars as pa

    def month_start(data: Any) -> pl.LazyFrame:
        frame: pl.LazyFrame = data.lazyframe
        return frame.select(pl.col(data.key).dt.day() == 1)

    def enough_months(data: Any) -> pl.LazyFrame:
        frame: pl.LazyFrame = data.lazyframe
        return frame.select(pl.col("temperature").is_not_null().sum().over("series") >= rules.least_months)

    low, high = rules.value_range
    return pa.DataFrameSchema(
        {
            "series": pa.Column(pl.String),
            "date": pa.Column(pl.Date, pa.Check(month_start, name="month_start")),
            "temperature": pa.Column(pl.Float64, pa.Check.in_range(low, high, error="value_range"), nullable=True),
        },
        checks=pa.Check(enough_months, name="min_months"),
        unique=["series", "date"],
        strict=True,
    )


def contract_failures(
    table: pl.DataFrame, rules: Contract, locate: Callable[[str, date], str] | None = None
) -> dict[str, str]:
    """Validate lazily (all failures at once) and return {series: reason} for the series that break the contract.

    `table` is (series: String, date: Date, temperature: Float64 °C, null = missing). `locate(series, date)` names the
    place a value came from, such as "station_x.csv, line 12, column MAR"; without it the place is series and month.
    """
    import pandera.errors

    try:
        table_schema(rules).validate(table, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return {}
    if cases["index"].null_count():
        # No row to blame: the columns or types themselves are wrong, which is a fault of the code, not of a station.
        raise TypeError(f"not a table of (series, date, temperature): {cases['check'].unique().to_list()}")
    where = locate or (lambda series, month: f"{series}, {month:%Y-%m}")
    broken: dict[str, dict[str, list[str]]] = {}
    for check, index in cases.select("check", "index").sort("index").iter_rows():
        series, month, _ = table.row(index)
        kind = check if check in _REMEDY else "unique"
        if kind == "value_range":
            case = where(series, month)
        elif kind == "min_months":
            count = table.filter(pl.col("series") == series)["temperature"].count()
            case = f"{count} observed months"
        else:
            case = f"{where(series, month)}: {month}"
        cases_of_kind = broken.setdefault(series, {}).setdefault(kind, [])
        if case not in cases_of_kind:
            cases_of_kind.append(case)
    return {
        series: "; ".join(_sentence(kind, found, rules) for kind, found in kinds.items())
        for series, kinds in broken.items()
    }


def _sentence(kind: str, found: list[str], rules: Contract) -> str:
    low, high = rules.value_range
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{', '.join(found[:SHOWN])}{more}: " + _REMEDY[kind].format(low=low, high=high, months=rules.least_months)
