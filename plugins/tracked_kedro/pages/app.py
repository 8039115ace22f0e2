"""The application that the API server mounts: overview, series, downloads, and the way to MLflow's pages."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import plotly
from fastapi import FastAPI, HTTPException, Request
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse, Response

from tracked_kedro.errors import UnavailableError, classified
from tracked_kedro.pages import to_mlflow
from tracked_kedro.pages.access import HEADERS, User, answer_denied
from tracked_kedro.pages.downloads import download
from tracked_kedro.pages.kept import Files, Fresh
from tracked_kedro.pages.mapped_tasks import task_paths
from tracked_kedro.pages.overview import SORTABLE, STATES, Query, prepared, select
from tracked_kedro.pages.rendering import STATIC, page
from tracked_kedro.pages.series_page import known_row, past_forecasts, shown
from tracked_kedro.pages.sparkline import sparkline
from tracked_kedro.pages.stored import NotStoredError, Stored
from tracked_kedro.pages.view import View, readable

log = logging.getLogger(__name__)

_PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_LONG = {"Cache-Control": "public, max-age=31536000, immutable"}


def application() -> FastAPI:
    """The page, with nothing read yet."""
    app = FastAPI(title="Forecasts", docs_url=None, redoc_url=None, openapi_url=None)
    folder = tempfile.mkdtemp(prefix="forecasts-page-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    stored = app.state.stored = Stored(Files(Path(folder)))
    app.add_exception_handler(HTTPException, _answer_refused)
    app.add_exception_handler(NotStoredError, _answer_missing)
    app.middleware("http")(_guarded)
    to_mlflow.add_routes(app, stored)
    _add_pages(app, stored)
    return app


def _add_pages(app: FastAPI, stored: Stored) -> None:
    tasks, tables = Fresh(60.0), Fresh(3600.0, most=24)

    @app.get("/plotly.js")
    def plotly_library() -> Response:
        return FileResponse(_PLOTLY, media_type="text/javascript", headers=_LONG)

    app.mount("/static", _Static(directory=STATIC))

    @app.get("/")
    def home(request: Request, user: User) -> Response:
        experiments = _readable(stored, user)
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
        key = (view.run.run_id, view.run.version, view.promoted)
        table = tables.get(key, lambda: prepared(stored.overview(view.run), view.promoted))
        query = Query.of(request.query_params)
        selected = select(table, query)
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
            state_names=STATES,
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
        (known,) = prepared(stored.overview(view.run).filter(series=series), view.promoted).to_dicts()
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
        frame = stored.overview(view.run) if table == "overview" else stored.forecasts(view.run, series)
        return download(frame, kind, experiment, view.run.month, table, *([series] if series else []))


class _Static(StaticFiles):
    """Files whose address changes with them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_LONG)
        return response


def _readable(stored: Stored, user: Any) -> list[str]:
    found = []
    for experiment in stored.experiments():
        try:
            readable(stored, user, experiment)
        except (HTTPException, NotStoredError):
            continue
        found.append(experiment)
    return found


async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Every answer carries the page's policy; a tracking server that does not answer is told as that."""
    try:
        response = await call_next(request)
    except Exception as error:
        if not isinstance(classified(error), UnavailableError):
            raise
        log.warning("The tracking server did not answer: %s", error)
        response = page(
            request,
            "message.html",
            503,
            title="The tracking server does not answer",
            text="Forecasts are read from MLflow, which could not be reached.",
            remedy="See whether it is up, and whether MLFLOW_TRACKING_URI of Airflow's API server is its address; "
            "then load this page again.",
        )
    response.headers.update(HEADERS)
    return response


def _answer_refused(request: Request, error: Any) -> Response:
    return answer_denied(request, error)


def _answer_missing(request: Request, error: Exception) -> Response:
    return page(
        request,
        "message.html",
        404,
        title="Not found",
        text=f"{error}.",
        remedy="Choose a month and a series in the overview.",
    )
