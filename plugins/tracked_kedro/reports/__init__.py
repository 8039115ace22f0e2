"""What the reports of all pipelines share: the shell of the page, and how numbers and names are written."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import jinja2

TEXT_WIDTH = 110  # columns of a terminal


def page(template: Path) -> jinja2.Template:
    """A template that may extend `shell.html.j2`; its filters are `number`, `percent` and `signed`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,  # for every template: the usual choice by suffix does not know .j2
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "signed": signed}
    return environment.get_template(template.name)


def number(value: float | None, digits: int = 3) -> str:
    """`0.734`; a dash where there is none."""
    return "—" if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A share as `77 %`; a dash where there is none."""
    return "—" if value is None else f"{100 * value:.0f} %"


def signed(value: float | None) -> str:
    """`+0.15` or `−0.15`; a dash where there is none."""
    return "—" if value is None else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def plain(text: str) -> str:
    """Without control characters: a reason may quote a file's cell, and terminals obey escape sequences."""
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in unicodedata.normalize("NFC", text))
