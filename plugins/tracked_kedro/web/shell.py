"""What each page has around it: the login, the policy of its answers, errors as pages, the template of all."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from tracked_kedro.addresses import airflow_root, to_mlflow
from tracked_kedro.errors import UnavailableError, classified
from tracked_kedro.web.access import HEADERS, answer_denied
from tracked_kedro.web.tracking import NotStoredError

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
# Title and remedy of the pages that say no.
_REFUSALS = {
    403: ("Not for you", "Ask whoever runs this Airflow for the permission to read the runs of this DAG."),
    404: ("Not found", "Look whether the address is whole."),
}
#: Headers of what has another address when it has another content.
LONG = {"Cache-Control": "public, max-age=31536000, immutable"}


def application(
    name: str,
    remedy: str,
    *,
    folder: Path | None = None,
    assets: Sequence[Path] = (),
    filters: Mapping[str, Callable[..., str]] | None = None,
) -> FastAPI:
    """An application whose routes answer with `page`, or raise `NotStoredError` where something is not there.

        app = application("Rents", "Choose another month.", folder=Path(__file__).parent)

    Args:
        name: of the application.
        remedy: what to do where something is not there.
        folder: its own `templates` and `static`; with them it has an overview, at its root.
        assets: other files that its pages load.
        filters: of its templates.
    """
    app = FastAPI(title=name, docs_url=None, redoc_url=None, openapi_url=None)
    places = [_HERE] if folder is None else [folder, _HERE]
    files = [*(file for place in places for file in sorted((place / "static").iterdir())), *assets]
    templates = app.state.templates = Environment(
        loader=FileSystemLoader([place / "templates" for place in places]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    templates.filters |= filters or {}
    templates.globals |= {"application": name, "assets": _digest(files), "overview": folder is not None}
    app.state.read_ahead = lambda: None
    app.add_exception_handler(HTTPException, _refused)  # FastAPI's own, and that of an address without a page
    app.add_exception_handler(NotStoredError, _missing(remedy))
    app.middleware("http")(_guarded)
    app.mount("/static/shell", _Static(directory=_HERE / "static"))
    if folder is not None:
        app.mount("/static", _Static(directory=folder / "static"))
    return app


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page from a template, never kept by the browser: it belongs to who is logged in."""
    found = request.app.state.templates.get_template(template)
    addresses = {
        "base": request.scope.get("root_path", "").rstrip("/"),
        "airflow": airflow_root(),
        "to_mlflow": to_mlflow("").rstrip("/"),
    }
    return HTMLResponse(found.render(**addresses, **values), status, headers={"Cache-Control": "no-store"})


def _digest(files: Sequence[Path]) -> str:
    """Changes with the files, so that browsers may keep them for long."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


class _Static(StaticFiles):
    """Files whose address changes with them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(LONG)
        return response


async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Every answer carries the page's policy; a tracking server that does not answer is reported as that."""
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
            text="This page is read from MLflow, which could not be reached.",
            remedy="See whether it is up, and whether its address is the one that mlflow.yml names, or, where that "
            "names none, MLFLOW_TRACKING_URI of Airflow's API server; then load this page again.",
        )
    response.headers.update(HEADERS)
    return response


def _refused(request: Request, error: Any) -> Response:
    """A person without a login is sent to it, and to others a page says what is the matter; a program is told."""
    if error.status_code == 401 or "text/html" not in request.headers.get("accept", ""):
        return answer_denied(request, error)
    title, remedy = _REFUSALS.get(error.status_code, (str(error.detail), "Go back, and try another way."))
    text = "" if title == error.detail else f"{error.detail}."
    return page(request, "message.html", error.status_code, title=title, text=text, remedy=remedy)


def _missing(remedy: str) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        return page(request, "message.html", 404, title="Not found", text=f"{error}.", remedy=remedy)

    return answer
