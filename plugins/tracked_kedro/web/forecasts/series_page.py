"""What the page of one series shows, put together from the run that is looked at, the newest one and earlier ones."""

from __future__ import annotations

import contextlib
from datetime import date
from difflib import get_close_matches
from typing import Any

import polars as pl

from tracked_kedro.web.forecasts.diagnostics import judged
from tracked_kedro.web.forecasts.runs import StoredRun, short
from tracked_kedro.web.forecasts.series import Realised, observations, plot_data, realised
from tracked_kedro.web.forecasts.stored import Stored
from tracked_kedro.web.forecasts.view import View
from tracked_kedro.web.tracking import NotStoredError

# Earlier runs whose forecasts are held against what happened.
EARLIER = 24
_MOST_COMPARED, _LONGEST_NAME = 2_000, 60
_MOST_METRICS = 200


def row_of(stored: Stored, run: StoredRun, series: str) -> dict[str, Any] | None:
    """The series' row in a run's overview, None where the run does not know the series."""
    found = stored.overview(run).filter(pl.col("series") == series)
    return None if found.is_empty() else found.to_dicts()[0]


def known_row(stored: Stored, view: View, series: str) -> dict[str, Any]:
    """The series' row in the run that is looked at.

    Raises:
        NotStoredError: the run does not know the series; the message names one that it may have meant.
    """
    row = row_of(stored, view.run, series)
    if row is None:
        # Comparing takes the product of their lengths: as much as a person would have mistyped.
        names = stored.overview(view.run)["series"].head(_MOST_COMPARED).str.slice(0, _LONGEST_NAME).to_list()
        near = get_close_matches(series[:_LONGEST_NAME], names, 1)
        hint = f"; there is {near[0]!r}" if near else ""
        raise NotStoredError(f"The run of {view.run.month} knows no series {short(series)!r}{hint}")
    return row


def known_by_now(stored: Stored, view: View, series: str) -> dict[date, float]:
    """Observed months as the newest run knows them; as the one that is looked at does where it lacks the series."""
    for run in dict.fromkeys((view.runs[0], view.run)):
        try:
            row = row_of(stored, run, series)
        except NotStoredError:
            continue
        observed = observations(stored.history(run, row.get("child_run_id")), row) if row else {}
        if observed:
            return observed
    return {}


def shown(stored: Stored, view: View, series: str, row: dict[str, Any]) -> dict[str, Any]:
    """Values of the template: the plot, what happened since, diagnostics."""
    observed = known_by_now(stored, view, series)
    in_use = view.in_use()
    forecasts, *others = stored.forecasts_of_many([view.run, *in_use], series)
    named = [(f"{view.role(run)} ({run.month})", table) for run, table in zip(in_use, others, strict=True)]
    fit = stored.history(view.run, row.get("child_run_id"))
    since = realised(forecasts, observed, view.run.month)
    return {
        "plot": plot_data(observed, fit, forecasts, named, row.get("last_observation")),
        "since": Realised(since) if since else None,
        **_diagnostics(stored, view.run, row),
    }


def past_forecasts(stored: Stored, view: View, series: str) -> Realised | None:
    """The next month's forecasts of earlier runs that have been observed since; None where there is none."""
    observed = known_by_now(stored, view, series)
    earlier = [run for run in view.runs if run.month <= view.run.month][:EARLIER]
    tables = stored.forecasts_of_many(earlier, series)
    months = []
    for run, table in zip(earlier, tables, strict=True):
        months += [month for month in realised(table, observed, run.month) if month.horizon == 1]
    return Realised(sorted(months, key=lambda month: month.date)) if months else None


def _diagnostics(stored: Stored, run: StoredRun, row: dict[str, Any]) -> dict[str, Any]:
    """What the child run says of itself: `judged` in words, and all of its numbers."""
    found = None
    if row.get("child_run_id"):
        with contextlib.suppress(NotStoredError):
            found = stored.child(run, row["child_run_id"])
    if found is None:
        return {"judged": [], "diagnostics": {}}
    metrics = {short(name): value for name, value in sorted(found.data.metrics.items())[:_MOST_METRICS]}
    tags = {name: short(found.data.tags[name]) for name in ("method_used", "failure") if name in found.data.tags}
    numbers = {name: f"{value:.4g}".replace("-", "\N{MINUS SIGN}") for name, value in metrics.items()}
    return {"judged": judged(metrics), "diagnostics": tags | numbers}
