"""The application that the API server mounts: overview, series, downloads."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import plotly
import polars as pl
from fastapi import FastAPI, HTTPException, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from tracked_kedro.addresses import to_mlflow
from tracked_kedro.web import shell
from tracked_kedro.web.access import User
from tracked_kedro.web.forecasts.downloads import download
from tracked_kedro.web.forecasts.fleet import charts, dimensions, groups
from tracked_kedro.web.forecasts.kept import Files
from tracked_kedro.web.forecasts.mapped_tasks import task_paths
from tracked_kedro.web.forecasts.monthly import trend
from tracked_kedro.web.forecasts.number_formats import FILTERS
from tracked_kedro.web.forecasts.overview import ADDED, filtered, prepared, select
from tracked_kedro.web.forecasts.query import SORTABLE, Query
from tracked_kedro.web.forecasts.series_page import known_row, past_forecasts, shown
from tracked_kedro.web.forecasts.sparkline import sparkline
from tracked_kedro.web.forecasts.states import MEANINGS
from tracked_kedro.web.forecasts.stored import Stored
from tracked_kedro.web.forecasts.view import View, readable
from tracked_kedro.web.fresh import Fresh
from tracked_kedro.web.shell import page
from tracked_kedro.web.tracking import NotStoredError, Tracking

_HERE = Path(__file__).parent
_PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def application() -> FastAPI:
    """The page, with nothing read yet."""
    app = shell.application(
        "Forecasts", "Choose a month and a series in the overview.", folder=_HERE, assets=[_PLOTLY], filters=FILTERS
    )
    app.state.templates.globals["meanings"] = MEANINGS
    folder = tempfile.mkdtemp(prefix="forecasts-page-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    stored = Stored(Tracking(), Files(Path(folder)))
    app.state.read_ahead = stored.read_newest
    _add_pages(app, stored)
    return app


def _add_pages(app: FastAPI, stored: Stored) -> None:
    tasks, tables = Fresh(60.0), Fresh(3600.0, most=24)

    def whole(view: View) -> pl.DataFrame:
        return tables.get((view.run.run_id, view.run.version), lambda: prepared(stored.overview(view.run)))

    @app.get("/plotly.js")
    def plotly_library() -> Response:
        return FileResponse(_PLOTLY, media_type="text/javascript", headers=shell.LONG)

    # Where they lay before they had an application of their own; letters and pending approvals still name these.
    @app.get("/mlflow")
    @app.get("/mlflow/{path:path}")
    def moved(request: Request, path: str = "") -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(to_mlflow(quote(path)) + query, 308)

    @app.get("/")
    def home(request: Request, user: User) -> Response:
        experiments = _readable(stored, user)
        if not experiments and stored.experiments():
            raise HTTPException(403, "You may not see the runs of any DAG whose forecasts are stored here")
        if not experiments:
            return page(
                request,
                "message.html",
                title="No forecasts yet",
                text="No run on the tracking server holds forecasts.",
                remedy="Trigger a retraining DAG, or run `make retrain`, and come back when it has ended.",
            )
        return _overview(request, user, experiments[0])

    @app.get("/{experiment}")
    def overview(request: Request, user: User, experiment: str) -> Response:
        return _overview(request, user, experiment)

    def _overview(request: Request, user: Any, experiment: str) -> Response:
        view = View.of(stored, user, experiment, request.query_params.get("month"))
        table = whole(view)
        query, month = Query.of(request.query_params), view.run.month
        selected = select(table, query)
        added = dimensions(table)
        dag = view.run.dag
        for row in selected.rows:
            recent = row.get("recent") or []
            row["spark"] = sparkline(recent, row.get("next_mean"), row.get("next_q10"), row.get("next_q90"))
        return page(
            request,
            "overview.html",
            view=view,
            experiments=_readable(stored, user),
            page=selected,
            query=query,
            sortable=SORTABLE,
            charts=charts(table, query, month),
            dimensions=added,
            groups=groups(table, query, month) if query.by in added else [],
            trend=trend(view.runs),
            tasks=tasks.get(dag, lambda: task_paths(*dag)) if dag else {},
        )

    @app.get("/{experiment}/series/{series:path}/past")
    def past(request: Request, user: User, experiment: str, series: str) -> Response:
        view = View.of(stored, user, experiment, request.query_params.get("month"))
        known_row(stored, view, series)
        return page(request, "past.html", view=view, past=past_forecasts(stored, view, series))

    @app.get("/{experiment}/series/{series:path}")
    def one_series(request: Request, user: User, experiment: str, series: str) -> Response:
        view = View.of(stored, user, experiment, request.query_params.get("month"))
        row = known_row(stored, view, series)
        (known,) = prepared(stored.overview(view.run).filter(series=series)).to_dicts()
        dag = view.run.dag
        return page(
            request,
            "series.html",
            view=view,
            series=series,
            row=known,
            task=tasks.get(dag, lambda: task_paths(*dag)).get(series) if dag else None,
            **shown(stored, view, series, row),
        )

    @app.get("/{experiment}/download/{table}.{kind}")
    def table_file(
        request: Request,
        user: User,
        experiment: str,
        table: Literal["overview", "forecasts"],
        kind: Literal["csv", "parquet"],
        series: str | None = None,
    ) -> Response:
        view = View.of(stored, user, experiment, request.query_params.get("month"))
        if series is not None:
            known_row(stored, view, series)
        if table == "overview":
            query = Query.of(request.query_params)
            frame = filtered(whole(view), query).drop(ADDED) if query.filters else stored.overview(view.run)
        else:
            frame = stored.forecasts(view.run, series)
        return download(frame, kind, experiment, view.run.month, table, *([series] if series else []))


def _readable(stored: Stored, user: Any) -> list[str]:
    found = []
    for experiment in stored.experiments():
        try:
            readable(stored, user, experiment)
        except (HTTPException, NotStoredError):
            continue
        found.append(experiment)
    return found
