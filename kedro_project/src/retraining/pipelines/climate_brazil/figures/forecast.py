"""Picture of one series with its forecasts (SVG). Pure functions; see `palette` for the conventions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from retraining.pipelines.climate_brazil.figures import svg
from retraining.pipelines.climate_brazil.figures.svg import Panel
from retraining.pipelines.climate_brazil.figures.views import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Band,
    Points,
    badge,
    legend,
    view,
)
from tracked_kedro.month import shifted
from tracked_kedro.reports.palette import BLUE, GREEN, INK, MUTED, VERMILLION

CONTEXT_YEARS = 15
CLOSE_UP_MONTHS = 24  # before the end of training, and at most after the newest observation
_GAP = 21  # between the views
_MIDDLE = (TOP + BOTTOM) // 2
_CONTEXT_SHARE = 0.6


@dataclass(frozen=True)
class ForecastTables:
    """What is drawn of one station.

    ``observed`` and ``holdout_actuals`` have date and temperature; ``in_sample``, ``holdout_forecast`` and
    ``ahead`` have date, mean, low_80 and high_80 (80 % highest-density interval, HDI), all °C. Any of the
    last four may have no rows.
    """

    observed: pl.DataFrame
    in_sample: pl.DataFrame
    holdout_forecast: pl.DataFrame
    holdout_actuals: pl.DataFrame
    ahead: pl.DataFrame


def forecast_svg(label: str, tables: ForecastTables, simulated: bool) -> bytes:
    """One station: fit, held-out test and forecast; the last 15 years on the left, a close-up on the right.

    Training ends where the held-out months start; without them, at the newest observation. ``tables.in_sample`` is
    drawn up to there, ``tables.ahead`` wherever it lies.

    Raises ValueError where ``tables.observed`` has no temperature at all.

        figure = forecast_svg("Belém", tables, simulated=False)
    """
    known = tables.observed.drop_nulls("temperature").sort("date")
    if known.is_empty():
        raise ValueError(f"{label}: no observed temperature to draw; look at the station's file")
    newest: date = known["date"][-1]
    held_out = [*tables.holdout_forecast["date"], *tables.holdout_actuals["date"]]
    split: date = min(held_out) if held_out else shifted(newest, 1)
    end: date = max([newest, *tables.holdout_forecast["date"], *tables.ahead["date"]])
    since = max(known["date"][0], shifted(newest, 1 - 12 * CONTEXT_YEARS))
    from_, to, ended = _month(since), _month(end), _month(split)

    bands = [
        band
        for band in (
            _band(tables.in_sample, "in-sample mean, 80 % HDI", BLUE, from_, min(to, ended - 1)),
            _band(tables.holdout_forecast, "held-out forecast, 80 % HDI", VERMILLION, from_, to),
            _band(tables.ahead, "forecast ahead (refitted), 80 % HDI", GREEN, from_, to),
        )
        if len(band.months)
    ]
    points = [
        one
        for one in (
            _points(known, "observed", from_, min(to, ended - 1), held_out=False),
            _points(tables.holdout_actuals, "observed, held out", from_, to, held_out=True),
        )
        if len(one.months)
    ]
    low, high = _range(bands, points)
    middle = LEFT + (RIGHT - LEFT - _GAP) * _CONTEXT_SHARE
    context = Panel(LEFT, middle, TOP, BOTTOM, from_ - 1, to + 1, low, high)
    near, far = ended - CLOSE_UP_MONTHS, min(to, _month(newest) + CLOSE_UP_MONTHS)
    close_up = replace(context, left=middle + _GAP, right=RIGHT, first=near - 1, last=far + 1)

    until = f", forecast to {end:%B %Y}" if end > newest else ""
    over_line = svg.text(
        float(close_up.x(ended - 0.5)) - 6, TOP + 13, f"training ended {shifted(split, -1):%b %Y}",
        text_anchor="end", font_size=12,
    )  # fmt: skip
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="{svg.FONT}" font-size="12.5" fill="{INK}">',
        f"<title>{svg.plain(label)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        svg.text(LEFT, 31, label, font_size=20, font_weight="bold"),
        svg.text(LEFT, 57, f"Monthly mean temperature to {newest:%B %Y}{until}", font_size=14, fill=MUTED),
        badge() if simulated else "",
        svg.text(0, 0, "Temperature (°C)", text_anchor="middle", transform=f"translate(20 {_MIDDLE}) rotate(-90)"),
        *view("context", f"since {since:%B %Y}", context, bands, points, ended, values=True),
        *view("close-up", "close-up", close_up, bands, points, ended, values=False),
        over_line,
        legend(bands, points),
        "</svg>\n",
    ]
    return "".join(parts).encode()


def _month(day: date) -> int:
    return (day.year - 1970) * 12 + day.month - 1


def _within(frame: pl.DataFrame, first: int, last: int) -> tuple[np.ndarray, pl.DataFrame]:
    frame = frame.sort("date")
    months = frame["date"].to_numpy().astype("datetime64[M]").astype(int)
    seen = slice(*(int(place) for place in np.searchsorted(months, (first, last + 1))))
    return months[seen], frame[seen]


def _band(frame: pl.DataFrame, name: str, colour: str, first: int, last: int) -> Band:
    months, rows = _within(frame, first, last)
    low, high, mean = (rows[column].to_numpy() for column in ("low_80", "high_80", "mean"))
    return Band(name, colour, months, low, high, mean)


def _points(frame: pl.DataFrame, name: str, first: int, last: int, held_out: bool) -> Points:
    months, rows = _within(frame.drop_nulls("temperature"), first, last)
    return Points(name, months, rows["temperature"].to_numpy(), held_out)


def _range(bands: list[Band], points: list[Points]) -> tuple[float, float]:
    """Lowest and highest of what is drawn, with room at the edges, and above for the words beside the line."""
    drawn = [values for band in bands for values in (band.low, band.high, band.mean)] + [one.values for one in points]
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    span = (high - low) or 1.0
    return low - 0.05 * span, high + 0.16 * span
