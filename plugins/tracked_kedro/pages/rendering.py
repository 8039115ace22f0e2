"""Templates and how numbers are written in them."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from tracked_kedro import mlflow_pages
from tracked_kedro.pages.access import airflow_root

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page from a template, never kept by the browser: it belongs to who is logged in."""
    text = (
        _environment()
        .get_template(template)
        .render(
            base=request.scope.get("root_path", "").rstrip("/"),
            airflow=airflow_root(request),
            mlflow=mlflow_pages.address(),
            assets=_assets_version(),
            **values,
        )
    )
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


@cache
def _assets_version() -> str:
    """Changes with the static files and with Plotly, so that browsers may keep both for long."""
    from plotly import __version__ as plotly_version

    files = sorted(STATIC.iterdir())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files) + plotly_version.encode()).hexdigest()[:12]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"number": _number, "signed": _signed, "percent": _percent, "month": _month}
    return environment


def _number(value: float | None, digits: int = 1) -> str:
    return "—" if value is None else f"{value:.{digits}f}".replace("-", "−")


def _signed(value: float | None) -> str:
    return "—" if value is None else f"{value:+.2f}".replace("-", "−")


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:.0f} %"


def _month(value: date | None) -> str:
    return "—" if value is None else f"{value:%Y-%m}"
