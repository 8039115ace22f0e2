"""Pictures of the climate pipeline: all series, one series with its forecasts, and the model graph.

Pure functions from frames to figures. Temperatures are monthly means in °C; a null is a missing month and is
drawn as a gap, never bridged. Colours are Okabe and Ito's (2008), which people with colour-blind vision can
tell apart, without the yellow that vanishes on white.
"""

import io
import logging
import shutil
import subprocess
from collections.abc import Mapping
from datetime import date, timedelta
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from PIL import Image

logger = logging.getLogger(__name__)

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
SERIES_COLOURS = (BLUE, "#E69F00", GREEN, "#CC79A7", "#56B4E9", VERMILLION)
SERIES_DASHES = ("solid", "dot", "dash")  # a second cue once the colours repeat
INK, MUTED, GRID = "#1f2933", "#66707c", "#e3e7eb"

SIMULATED = "simulated sample"
MAX_LINES = 60  # beyond this, lines say less than the band of their quantiles
RANGE_YEARS = (5, 10, 30)
CONTEXT_YEARS = 15
CLOSE_UP_MONTHS = 24  # before the end of training, and at most after the newest observation


# --- all series (Plotly) ---


def timeseries_figure(table: pl.DataFrame, labels: Mapping[str, str], simulated: bool) -> go.Figure:
    """Interactive plot of every series, opened on the last ten years.

    ``table`` has one row per series and month: series (String), date (Date, month start), temperature
    (Float64, °C, null where missing). Series are ordered as in ``labels``. With more than ``MAX_LINES`` of
    them, the band of all is drawn, and the first ``MAX_LINES`` wait in the legend to be switched on.
    """
    parts = table.partition_by("series", as_dict=True)
    frames = {str(series): _on_calendar(frame) for (series,), frame in parts.items()}
    order = [s for s in labels if s in frames] + sorted(frames.keys() - labels.keys())
    crowded = len(order) > MAX_LINES
    figure = go.Figure()
    if crowded:
        _add_band(figure, table)
    for position, series in enumerate(order[:MAX_LINES]):
        _add_series(figure, frames[series], escape(labels.get(series, series)), position, crowded)

    title = f"Monthly mean temperature, {len(order)} series"
    if simulated:
        title += f' · <span style="color:{VERMILLION}"><b>{SIMULATED}</b></span>'
    hint = "Click a name to hide it, double-click to see it alone. Gaps are missing months."
    if crowded:
        hint = f"The band covers all {len(order)} series. Click a name to add one of the first {MAX_LINES}."
    subtitle = {"text": hint, "font": {"size": 13, "color": MUTED}}
    figure.update_layout(
        title={"text": title, "subtitle": subtitle, "x": 0, "xref": "paper"},
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        hovermode="closest" if crowded else "x unified",
        legend={"title": {"text": "Series"}},
        margin={"l": 70, "r": 20, "t": 110, "b": 50},
        height=620,
        paper_bgcolor="white",
        plot_bgcolor="white",
    )
    figure.update_yaxes(title_text="Temperature (°C)", gridcolor=GRID, zeroline=False, fixedrange=False)
    figure.update_xaxes(
        title_text="Month",
        type="date",
        range=_opening_range(table),
        hoverformat="%B %Y",
        gridcolor=GRID,
        rangeselector={"buttons": _range_buttons(), "x": 0, "y": 1.01, "yanchor": "bottom"},
        rangeslider={"visible": True, "thickness": 0.12, "bordercolor": GRID, "borderwidth": 1},
    )
    return figure


def _add_series(figure: go.Figure, frame: pl.DataFrame, name: str, position: int, crowded: bool) -> None:
    # SVG traces, not WebGL: plotly.js draws no WebGL trace in a range slider (plotly.js issue 2627).
    colour = SERIES_COLOURS[position % len(SERIES_COLOURS)]
    dash = SERIES_DASHES[position // len(SERIES_COLOURS) % len(SERIES_DASHES)]
    shared = {
        "name": name,
        "legendgroup": f"series {position}",
        "visible": "legendonly" if crowded else True,
        "hovertemplate": "%{x|%B %Y}: %{y:.2f} °C" if crowded else "%{y:.2f} °C",
    }
    figure.add_scatter(
        x=frame["date"].to_list(),
        y=frame["temperature"].to_numpy(),
        mode="lines",
        line={"color": colour, "dash": dash, "width": 1.4},
        connectgaps=False,
        **shared,
    )
    # A month between two missing ones has no line through it and would be invisible.
    value = pl.col("temperature")
    alone = frame.filter(value.is_not_null() & value.shift(1).is_null() & value.shift(-1).is_null())
    if alone.height:
        figure.add_scatter(
            x=alone["date"].to_list(),
            y=alone["temperature"].to_numpy(),
            mode="markers",
            marker={"color": colour, "size": 4},
            showlegend=False,
            **shared,
        )


def _add_band(figure: go.Figure, table: pl.DataFrame) -> None:
    shares = {"low": 0.1, "median": 0.5, "high": 0.9}
    columns = [pl.col("temperature").quantile(q, "linear").alias(name) for name, q in shares.items()]
    quantiles = table.drop_nulls("temperature").group_by("date").agg(columns).sort("date")
    months = quantiles["date"].to_list()
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": "band"}
    figure.add_scatter(x=months, y=quantiles["high"].to_numpy(), showlegend=False, **edge)
    figure.add_scatter(
        x=months,
        y=quantiles["low"].to_numpy(),
        fill="tonexty",
        fillcolor="rgba(0, 114, 178, 0.18)",
        name="10 % to 90 % of all series",
        **edge,
    )
    figure.add_scatter(
        x=months,
        y=quantiles["median"].to_numpy(),
        mode="lines",
        line={"color": BLUE, "width": 1.6},
        name="median of all series",
        legendgroup="band",
        hovertemplate="%{x|%B %Y}: %{y:.2f} °C",
    )


def _range_buttons() -> list[dict[str, object]]:
    years = [{"count": n, "label": f"{n} y", "step": "year", "stepmode": "backward"} for n in RANGE_YEARS]
    return [*years, {"label": "all", "step": "all"}]


def _opening_range(table: pl.DataFrame) -> list[date] | None:
    first, last = table["date"].min(), table["date"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        return None  # no rows: Plotly's own default
    return [max(first, last.replace(year=last.year - 10)), last]


def _on_calendar(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with nulls in every month it skips, so that a skipped month is a gap like a missing one."""
    ordered = frame.sort("date")
    return ordered.upsample("date", every="1mo") if ordered.height > 1 else ordered


# --- one series (Matplotlib) ---


def forecast_figure(
    label: str,
    observed: pl.DataFrame,
    in_sample: pl.DataFrame,
    holdout_forecast: pl.DataFrame,
    holdout_actuals: pl.DataFrame,
    ahead: pl.DataFrame,
    simulated: bool,
) -> Figure:
    """One station: fit, held-out test and forecast; the last 15 years on the left, a close-up on the right.

    ``observed`` and ``holdout_actuals`` have date and temperature; ``in_sample``, ``holdout_forecast`` and
    ``ahead`` have date, mean, low_80 and high_80 (80 % highest-density interval, HDI), all °C. Any of the
    last four may have no rows. Training ends where the held-out months start; without them, at the newest
    observation. ``in_sample`` is drawn up to there, ``ahead`` wherever it lies.

    Built without pyplot, so that threads may draw at once and nothing outlives the figure. Raises ValueError
    where ``observed`` has no temperature at all.
    """
    known = observed.drop_nulls("temperature").sort("date")
    if known.is_empty():
        raise ValueError(f"{label}: no observed temperature to draw; look at the station's file")
    newest: date = known["date"][-1]
    held_out = [*holdout_forecast["date"], *holdout_actuals["date"]]
    split: date = min(held_out) if held_out else _shift(newest, 1)
    end: date = max([newest, *holdout_forecast["date"], *ahead["date"]])
    training = pl.col("date") < split
    points: tuple[tuple[pl.DataFrame, str, dict[str, Any]], ...] = (
        (known.filter(training), "observed", {"marker": "o", "ms": 2.6, "mfc": INK, "mec": INK}),
        (
            holdout_actuals.drop_nulls("temperature"),
            "observed, held out",
            {"marker": "D", "ms": 5, "mfc": "white", "mec": VERMILLION, "mew": 1.4},
        ),
    )
    bands = (
        (in_sample.filter(training), "in-sample mean, 80 % HDI", BLUE),
        (holdout_forecast, "held-out forecast, 80 % HDI", VERMILLION),
        (ahead, "forecast ahead (refitted), 80 % HDI", GREEN),
    )

    figure = Figure(figsize=(12, 4.8), dpi=100, facecolor="white")
    context, close_up = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    figure.subplots_adjust(left=0.055, right=0.985, top=0.8, bottom=0.2, wspace=0.03)
    since = max(known["date"][0], _shift(newest, 1 - 12 * CONTEXT_YEARS))
    views = (
        (context, f"since {since:%B %Y}", since, end),
        (close_up, "close-up", _shift(split, -CLOSE_UP_MONTHS), min(end, _shift(newest, CLOSE_UP_MONTHS))),
    )
    for axes, title, first, last in views:
        in_view = pl.col("date").is_between(first, last)
        for frame, name, colour in bands:
            if frame.height:
                _draw_band(axes, _on_calendar(frame.filter(in_view)), name, colour)
        for frame, name, style in points:
            if frame.is_empty():
                continue
            seen = frame.filter(in_view)
            axes.plot(seen["date"].to_numpy(), seen["temperature"].to_numpy(), label=name, ls="none", **style)
        _dress(axes, title, first, last)
        axes.axvline(_between_months(split), color=INK, lw=1.1, ls=(0, (4, 3)), zorder=1)
    close_up.annotate(
        f"training ended {_shift(split, -1):%b %Y}",
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
        Patch(facecolor=(colour, 0.2), edgecolor=colour, linewidth=1.3, label=name)
        for frame, name, colour in bands
        if frame.height
    ]
    handles += [line for line in context.lines if line.get_marker() != "None"]
    look: dict[str, Any] = {"frameon": False, "fontsize": 9.5, "labelcolor": INK}
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), **look)
    return figure


def figure_png(figure: Figure) -> bytes:
    """The figure as PNG, at its own resolution, in 256 colours: half the bytes, and no colour moves visibly.

    The palette comes from every third pixel each way. Pillow's faster octree is no choice here: it paints the
    blue and the green band in one colour.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    sample = picture.resize((picture.width // 3, picture.height // 3), Image.Resampling.NEAREST)
    palette = sample.quantize(256, Image.Quantize.MAXCOVERAGE)
    colours = np.array(palette.getpalette(), dtype=np.uint8).reshape(-1, 3)
    colours[colours.min(axis=1) > 247] = 255  # the average of nearly white is not white, and paper is
    palette.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _draw_band(axes: Axes, frame: pl.DataFrame, name: str, colour: str) -> None:
    months = frame["date"].to_numpy()
    low, high, mean = (frame[column].to_numpy() for column in ("low_80", "high_80", "mean"))
    axes.fill_between(months, low, high, color=colour, alpha=0.2, lw=0, label=name)
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
    axes.set_xlim(_shift(first, -1), _shift(last, 1))  # type: ignore[arg-type]  # dates are converted by the axis
    axes.set_xticks(*_month_ticks(first, last))  # type: ignore[arg-type]


def _month_ticks(first: date, last: date) -> tuple[list[date], list[str]]:
    """Month starts at a round step, about ten of them at most, and their names."""
    months = [_shift(first, n) for n in range((last.year - first.year) * 12 + last.month - first.month + 1)]
    step = next((s for s in (1, 3, 6, 12, 60, 120) if len(months) <= 10 * s), 240)
    ticks = [m for m in months if (m.year * 12 + m.month - 1) % step == 0]
    if step >= 12:
        return ticks, [f"{m:%Y}" for m in ticks]
    return ticks, [f"{m:%b\n%Y}" if m.month == 1 or m is ticks[0] else f"{m:%b}" for m in ticks]


def _shift(month: date, months: int) -> date:
    index = month.year * 12 + month.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _between_months(month: date) -> date:
    return month - timedelta(days=15)


# --- the model's graph (Graphviz) ---


def model_graph_picture(dot_source: str) -> str | None:
    """The graph as SVG text, drawn by Graphviz; None where its ``dot`` is missing or fails (logged)."""
    dot = shutil.which("dot")
    if dot is None:
        return None
    command = [dot, "-Tsvg"]
    source = dot_source.encode()
    try:
        drawn = subprocess.run(command, input=source, capture_output=True, timeout=30, check=True)
        return drawn.stdout.decode()
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    logger.warning("Graphviz could not draw the model graph: %s", reason)
    return None
