"""Who may see a page: Airflow mounts a plugin's application without asking for a login, so the page does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tracked_kedro.addresses import airflow_root

#: Nothing from outside, no script within a page, only Airflow's pages around it. Plotly writes its styles by script.
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    ]
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

User = Annotated[Any, Depends(get_user)]


def may_read(user: Any, dags: Iterable[str]) -> bool:
    """Whether a user may see the runs of all these DAGs."""
    manager = get_auth_manager()
    return all(
        manager.is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag), user=user
        )
        for dag in dags
    )


def answer_denied(request: Request, error: HTTPException) -> Response:
    """A person without a login is sent to it and comes back afterwards; a program is told."""
    if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
        here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        return RedirectResponse(f"{airflow_root()}/api/v2/auth/login?next={quote(here, safe='')}", 303)
    return JSONResponse({"detail": error.detail}, error.status_code, headers={"Cache-Control": "no-store"})
