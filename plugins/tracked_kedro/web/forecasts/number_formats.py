"""How numbers and months are written in the templates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date


def _number(value: float | None, digits: int = 1) -> str:
    return "—" if value is None else f"{value:.{digits}f}".replace("-", "−")


def _signed(value: float | None) -> str:
    return "—" if value is None else f"{value:+.2f}".replace("-", "−")


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:.0f} %"


def _month(value: date | None) -> str:
    return "—" if value is None else f"{value:%Y-%m}"


def _thousands(value: int) -> str:
    return f"{value:,}"


#: Filters of the templates.
FILTERS: dict[str, Callable[..., str]] = {
    "number": _number,
    "signed": _signed,
    "percent": _percent,
    "month": _month,
    "thousands": _thousands,
}
