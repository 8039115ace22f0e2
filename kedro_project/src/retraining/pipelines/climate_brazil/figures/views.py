"""The two views of a series' picture: what is drawn in them, their axes, and the words around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retraining.pipelines.climate_brazil.figures import svg
from retraining.pipelines.climate_brazil.figures.svg import Panel
from tracked_kedro.kedro_side.simulated import SIMULATED
from tracked_kedro.reports.palette import GRID, INK, MUTED, VERMILLION

WIDTH, HEIGHT = 1200, 480
LEFT, RIGHT, TOP, BOTTOM = 66, 1182, 96, 384  # edges of the two views together
_BAND = 0.2  # opacity
_DIAMOND = "m0-5l5 5-5 5-5-5z"  # begins at the middle of the mark
_DASHES = 'stroke-dasharray="6 5"'
_NAMES_OF_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Band:
    """A forecast: mean and interval by month since 1970, °C."""

    name: str
    colour: str
    months: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray


@dataclass(frozen=True)
class Points:
    """Observations by month since 1970, °C."""

    name: str
    months: np.ndarray
    values: np.ndarray
    held_out: bool


def view(
    name: str, title: str, panel: Panel, bands: list[Band], points: list[Points], ended: int, values: bool
) -> list[str]:
    """One view: grid and letters, what is drawn (cut off at the edges), and the line where training ended."""
    left, right, top, bottom = panel.left, panel.right, panel.top, panel.bottom
    rows, columns = svg.round_steps(panel.low, panel.high, 5), _month_ticks(int(panel.first) + 1, int(panel.last) - 1)
    grid = "".join(f"M{left:.1f} {y:.1f}H{right:.1f}" for y in panel.y(np.array(rows)).tolist())
    grid += "".join(f"M{panel.x(month):.1f} {top}V{bottom}" for month, _ in columns)
    size = f'x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{bottom - top}"'
    parts = [
        f'<g id="{name}"><clipPath id="{name}-edges"><rect {size}/></clipPath>',
        svg.text(left, top - 9, title, font_size=13, fill=MUTED),
        f'<path d="{grid}" stroke="{GRID}" stroke-width="1.1"/>',
        f'<path d="M{left:.1f} {bottom}H{right:.1f}" stroke="{MUTED}"/>',
    ]
    if values:
        at = zip(rows, panel.y(np.array(rows)).tolist(), strict=True)
        parts += [svg.text(left - 7, y + 4, f"{value:g}", text_anchor="end") for value, y in at]
    for month, (word, year) in columns:
        x = float(panel.x(month))
        parts.append(svg.text(x, bottom + 18, word, text_anchor="middle"))
        parts.append(svg.text(x, bottom + 34, year, text_anchor="middle") if year else "")
    parts.append(f'<g clip-path="url(#{name}-edges)" fill="none">')
    for band in bands:
        area = svg.band(panel, band.months, band.low, band.high)
        mean = svg.line(panel, band.months, band.mean)
        parts.append(
            f'<g><title>{band.name}</title><path class="area" d="{area}" fill="{band.colour}" fill-opacity="{_BAND}"/>'
            f'<path class="mean" d="{mean}" stroke="{band.colour}" stroke-width="1.8"/></g>'
        )
    for marked in points:
        seen = panel.inside(marked.months)
        marks = svg.dots(panel, marked.months[seen], marked.values[seen], _DIAMOND if marked.held_out else "h0")
        parts.append(f'<g><title>{marked.name}</title><path class="marks" d="{marks}" {_mark(marked.held_out)}/></g>')
    x = float(panel.x(ended - 0.5))
    parts.append(
        f'<path class="split" d="M{x:.1f} {top}V{bottom}" stroke="{INK}" stroke-width="1.5" {_DASHES}/></g></g>'
    )
    return parts


def _mark(held_out: bool) -> str:
    if held_out:
        return f'fill="white" stroke="{VERMILLION}" stroke-width="1.9"'
    return f'stroke="{INK}" stroke-width="4" stroke-linecap="round"'


def _month_ticks(first: int, last: int) -> list[tuple[int, tuple[str, str]]]:
    """Months at a round step, about ten of them at most, with their names: in two lines where not each is a year."""
    step = next((s for s in (1, 3, 6, 12, 60, 120) if last - first + 1 <= 10 * s), 240)
    # Months are counted from 1970, years from 0: a step of 240 months falls on the year 2000.
    ticks = [month for month in range(first, last + 1) if (month + 1970 * 12) % step == 0]
    if step >= 12:
        return [(month, (str(1970 + month // 12), "")) for month in ticks]
    return [
        (month, (_NAMES_OF_MONTHS[month % 12], str(1970 + month // 12) if month % 12 == 0 or month == ticks[0] else ""))
        for month in ticks
    ]


def badge() -> str:
    """What says that the numbers are made up."""
    size = svg.width(SIMULATED, 15) * 1.12 + 24  # bold
    box = f'x="{RIGHT - size:.1f}" y="14" width="{size:.1f}" height="27" rx="6"'
    words = svg.text(
        RIGHT - size / 2, 32.5, SIMULATED, text_anchor="middle", font_size=15, font_weight="bold", fill=VERMILLION
    )
    return f'<rect {box} fill="white" stroke="{VERMILLION}"/>{words}'


def legend(bands: list[Band], points: list[Points]) -> str:
    """What is drawn, in one row below the panels."""
    size, key, gap, y = 13, 34, 26, HEIGHT - 22
    entries: list[Band | Points] = [*bands, *points]
    names = [one.name for one in entries]
    widths = [key + svg.width(name, size) + gap for name in names]
    x = (WIDTH - sum(widths) + gap) / 2
    parts = ['<g id="legend">']
    for one, taken in zip(entries, widths, strict=True):
        if isinstance(one, Band):
            box = f'x="{x:.1f}" y="{y - 10}" width="26" height="12"'
            parts.append(f'<rect {box} fill="{one.colour}" fill-opacity="{_BAND}" stroke="{one.colour}"/>')
        else:
            shape = _DIAMOND if one.held_out else "h0"
            parts.append(f'<path d="M{x + 13:.1f} {y - 4}{shape}" {_mark(one.held_out)}/>')
        parts.append(svg.text(x + key, y, one.name, font_size=size))
        x += taken
    return "".join(parts) + "</g>"
