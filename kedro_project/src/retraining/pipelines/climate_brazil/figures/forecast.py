"""Picture of one series with its forecasts (Matplotlib). Pure functions; see `palette` for the conventions."""

import io
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

import matplotlib
import numpy as np
import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from PIL import Image

from retraining.pipelines.climate_brazil.figures.palette import on_calendar
from tracked_kedro.kedro_side.simulated import SIMULATED
from tracked_kedro.month import months_between, shifted
from tracked_kedro.reports.palette import BLUE, GREEN, GRID, INK, MUTED, VERMILLION

# Letters are most of the work, and fitting them to the pixel grid a fifth of that.
matplotlib.rcParams["text.hinting"] = "no_hinting"

CONTEXT_YEARS = 15
BAND = 0.2  # opacity
CLOSE_UP_MONTHS = 24  # before the end of training, and at most after the newest observation


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


def forecast_figure(label: str, tables: ForecastTables, simulated: bool) -> Figure:
    """One station: fit, held-out test and forecast; the last 15 years on the left, a close-up on the right.

    Training ends where the held-out months start; without them, at the newest observation. ``tables.in_sample`` is
    drawn up to there, ``tables.ahead`` wherever it lies.

    Built without pyplot, so that threads may draw at once and nothing outlives the figure. Raises ValueError
    where ``tables.observed`` has no temperature at all.
    """
    known = tables.observed.drop_nulls("temperature").sort("date")
    if known.is_empty():
        raise ValueError(f"{label}: no observed temperature to draw; look at the station's file")
    newest: date = known["date"][-1]
    held_out = [*tables.holdout_forecast["date"], *tables.holdout_actuals["date"]]
    split: date = min(held_out) if held_out else shifted(newest, 1)
    end: date = max([newest, *tables.holdout_forecast["date"], *tables.ahead["date"]])
    training = pl.col("date") < split
    points: tuple[tuple[pl.DataFrame, str, dict[str, Any]], ...] = (
        (known.filter(training), "observed", {"marker": "o", "ms": 2.6, "mfc": INK, "mec": INK}),
        (
            tables.holdout_actuals.drop_nulls("temperature"),
            "observed, held out",
            {"marker": "D", "ms": 5, "mfc": "white", "mec": VERMILLION, "mew": 1.4},
        ),
    )
    bands = (
        (tables.in_sample.filter(training), "in-sample mean, 80 % HDI", BLUE),
        (tables.holdout_forecast, "held-out forecast, 80 % HDI", VERMILLION),
        (tables.ahead, "forecast ahead (refitted), 80 % HDI", GREEN),
    )

    figure = Figure(figsize=(12, 4.8), dpi=100, facecolor="white")
    context, close_up = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    figure.subplots_adjust(left=0.055, right=0.985, top=0.8, bottom=0.2, wspace=0.03)
    since = max(known["date"][0], shifted(newest, 1 - 12 * CONTEXT_YEARS))
    views = (
        (context, f"since {since:%B %Y}", since, end),
        (close_up, "close-up", shifted(split, -CLOSE_UP_MONTHS), min(end, shifted(newest, CLOSE_UP_MONTHS))),
    )
    # The close-up shows part of the context: what is drawn is prepared once, and cut off at its edges.
    in_context = pl.col("date").is_between(since, end)
    drawn_bands = [
        (on_calendar(frame.filter(in_context)), name, colour) for frame, name, colour in bands if frame.height
    ]
    drawn_points = [(frame.filter(in_context), name, style) for frame, name, style in points if frame.height]
    for axes, title, first, last in views:
        for frame, name, colour in drawn_bands:
            _draw_band(axes, frame, name, colour)
        for frame, name, style in drawn_points:
            axes.plot(frame["date"].to_numpy(), frame["temperature"].to_numpy(), label=name, ls="none", **style)
        _dress(axes, title, first, last)
        axes.axvline(_between_months(split), color=INK, lw=1.1, ls=(0, (4, 3)), zorder=1)
    close_up.annotate(
        f"training ended {shifted(split, -1):%b %Y}",
        (_between_months(split), 1),
        xycoords=("data", "axes fraction"),
        xytext=(-5, -5),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9,
        color=INK,
    )
    low, high = context.get_ylim()
    context.set_ylim(low, high + 0.1 * (high - low))  # room for the words beside the line
    context.set_ylabel("Temperature (°C)", color=INK)

    until = f", forecast to {end:%B %Y}" if end > newest else ""
    # A label is text, not mathematics: "$" in it must stay "$".
    figure.text(0.055, 0.935, label, fontsize=15, fontweight="bold", color=INK, parse_math=False)
    figure.text(0.055, 0.88, f"Monthly mean temperature to {newest:%B %Y}{until}", fontsize=10.5, color=MUTED)
    if simulated:
        box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": VERMILLION}
        badge = figure.text(0.98, 0.935, SIMULATED, ha="right", fontsize=11, color=VERMILLION, bbox=box)
        badge.set_fontweight("bold")
    # One artist an entry: a band with its line on top would take 5 % of the drawing time.
    handles: list[Artist] = [
        Patch(facecolor=(colour, BAND), edgecolor=colour, linewidth=1.3, label=name) for _, name, colour in drawn_bands
    ]
    handles += [line for line in context.lines if line.get_marker() != "None"]
    look: dict[str, Any] = {"frameon": False, "fontsize": 9.5, "labelcolor": INK}
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), **look)
    return figure


def figure_png(figure: Figure) -> bytes:
    """The figure as PNG, at its own resolution, in 256 colours: half the bytes, and no colour moves visibly."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    picture.quantize(palette=_palette(), dither=Image.Dither.NONE).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


@cache
def _palette() -> Image.Image:
    """What the picture is made of: paper and bands, and what is drawn on them in steps of ink for smooth edges."""
    lines = [np.array(to_rgb(colour)) for colour in (BLUE, VERMILLION, GREEN)]
    paper = [np.ones(3), *(BAND * line + 1 - BAND for line in lines)]
    inks = [np.array(to_rgb(colour)) for colour in (INK, MUTED)] + lines
    steps = np.linspace(0, 1, 12)  # 4 surfaces, 5 inks, 12 steps: 240 colours
    colours = [surface + step * (ink - surface) for surface in paper for ink in inks for step in steps]
    colours.append(np.array(to_rgb(GRID)))
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.round(255 * np.array(colours)).astype(np.uint8).tobytes())
    return palette


def _draw_band(axes: Axes, frame: pl.DataFrame, name: str, colour: str) -> None:
    months = frame["date"].to_numpy()
    low, high, mean = (frame[column].to_numpy() for column in ("low_80", "high_80", "mean"))
    axes.fill_between(months, low, high, color=colour, alpha=BAND, lw=0, label=name)
    axes.plot(months, mean, color=colour, lw=1.3, label=name)


def _dress(axes: Axes, title: str, first: date, last: date) -> None:
    # Fixed places for the titles: to find them, Matplotlib would lay out every tick label twice more.
    axes.set_title(title, loc="left", y=1.02, pad=0, fontsize=9.5, color=MUTED)
    axes.xaxis.set_label_coords(0.5, -0.2)
    axes.yaxis.set_label_coords(-0.055, 0.5)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK, labelsize=9, grid_color=GRID, grid_linewidth=0.8)
    axes.grid(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(MUTED)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_xlim(shifted(first, -1), shifted(last, 1))  # type: ignore[arg-type]  # dates are converted by the axis
    axes.set_xticks(*_month_ticks(first, last))  # type: ignore[arg-type]


def _month_ticks(first: date, last: date) -> tuple[list[date], list[str]]:
    """Month starts at a round step, about ten of them at most, and their names."""
    months = [shifted(first, n) for n in range(months_between(first, last) + 1)]
    step = next((s for s in (1, 3, 6, 12, 60, 120) if len(months) <= 10 * s), 240)
    ticks = [m for m in months if (m.year * 12 + m.month - 1) % step == 0]
    if step >= 12:
        return ticks, [f"{m:%Y}" for m in ticks]
    return ticks, [f"{m:%b\n%Y}" if m.month == 1 or m is ticks[0] else f"{m:%b}" for m in ticks]


def _between_months(month: date) -> date:
    return month - timedelta(days=15)
