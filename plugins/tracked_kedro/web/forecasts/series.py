"""One series: what the plot draws, and what was forecast against what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from tracked_kedro.month import shifted

_FAN = ("mean", "q025", "q10", "q25", "q50", "q75", "q90", "q975")


@dataclass(frozen=True)
class Month:
    """A month that was forecast and has happened since."""

    date: date
    horizon: int
    mean: float
    q10: float
    q90: float
    observed: float
    made: str

    @property
    def error(self) -> float:
        """Observed less forecast."""
        return self.observed - self.mean

    @property
    def inside(self) -> bool:
        """Whether it lies in the 80 % interval."""
        return self.q10 <= self.observed <= self.q90


@dataclass(frozen=True)
class Realised:
    """How forecasts did in months that have happened since."""

    months: list[Month]

    @property
    def rmse(self) -> float:
        """Root mean squared error."""
        return (sum(month.error**2 for month in self.months) / len(self.months)) ** 0.5

    @property
    def inside(self) -> int:
        """How many lie in their 80 % interval."""
        return sum(month.inside for month in self.months)


def observations(history: pl.DataFrame | None, row: dict[str, Any] | None) -> dict[date, float]:
    """Observed values by month: from the history that the child run keeps, else the recent ones of the overview."""
    if history is not None:
        known = history.select("date", "observed").drop_nulls()
        return dict(known.rows())
    if not row or not row.get("recent") or not row.get("last_observation"):
        return {}
    last = row["last_observation"].replace(day=1)
    recent = row["recent"]
    # The list ends with the newest observation.
    months = [shifted(last, place + 1 - len(recent)) for place in range(len(recent))]
    return {month: value for month, value in zip(months, recent, strict=True) if value is not None}


def realised(forecasts: pl.DataFrame, observed: dict[date, float], made: str) -> list[Month]:
    """The months ahead of a run that have happened since.

    Args:
        forecasts: of one series, with columns kind, date, horizon, mean, q10, q90.
        observed: what happened, by month.
        made: the run's month.
    """
    if forecasts.is_empty():
        return []
    ahead = forecasts.filter(pl.col("kind") == "ahead").select("date", "horizon", "mean", "q10", "q90").drop_nulls()
    rows = ahead.sort("date").iter_rows(named=True)
    return [Month(**row, observed=observed[row["date"]], made=made) for row in rows if row["date"] in observed]


def plot_data(
    observed: dict[date, float],
    fit: pl.DataFrame | None,
    forecasts: pl.DataFrame,
    others: Sequence[tuple[str, pl.DataFrame]],
    last_read: date | None,
) -> dict[str, Any]:
    """What the plot draws, as JSON takes it.

    Args:
        observed: all months known by now.
        fit: history table of the run that is shown, None where it keeps none.
        forecasts: of the series by that run.
        others: forecasts of the same series by other versions, with what to call them.
        last_read: newest month that the run has read; later observations are drawn as what happened since.
    """
    months = sorted(observed)
    known = [month for month in months if last_read is None or month <= last_read]
    since = [month for month in months if last_read is not None and month > last_read]
    return {
        "observed": _points(known, observed),
        "since": _points(since, observed),
        "fit": _columns(fit, ("fitted", "fitted_q10", "fitted_q90")),
        "trend": _columns(fit, ("trend",)),
        "seasonal": _columns(fit, ("seasonal",)),
        "heldout": _kind(forecasts, "heldout"),
        "ahead": _kind(forecasts, "ahead"),
        "others": [{"name": name, **(_kind(table, "ahead") or {})} for name, table in others if not table.is_empty()],
    }


def _points(months: list[date], values: dict[date, float]) -> dict[str, list[Any]]:
    return {"date": [month.isoformat() for month in months], "value": [_short(values[month]) for month in months]}


def _columns(table: pl.DataFrame | None, columns: tuple[str, ...]) -> dict[str, list[Any]] | None:
    if table is None or not set(columns) <= set(table.columns):
        return None
    return {
        "date": [month.isoformat() for month in table["date"]],
        **{name: [_short(value) for value in table[name]] for name in columns},
    }


def _kind(forecasts: pl.DataFrame, kind: str) -> dict[str, list[Any]] | None:
    if forecasts.is_empty():
        return None
    rows = forecasts.filter(pl.col("kind") == kind).sort("date")
    return None if rows.is_empty() else _columns(rows, _FAN)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
