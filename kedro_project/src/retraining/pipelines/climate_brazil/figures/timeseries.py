"""Interactive picture of all series (Plotly). Pure functions; see `palette` for the conventions."""

from collections.abc import Mapping
from datetime import date
from html import escape

import plotly.graph_objects as go
import polars as pl

from retraining.pipelines.climate_brazil.figures.palette import SERIES_COLOURS, SERIES_DASHES, on_calendar
from tracked_kedro.kedro_side.simulated import SIMULATED
from tracked_kedro.reports.palette import BLUE, GRID, INK, MUTED, VERMILLION

MAX_LINES = 60  # beyond this, lines say less than the band of their quantiles
RANGE_YEARS = (5, 10, 30)


def timeseries_figure(table: pl.DataFrame, labels: Mapping[str, str], simulated: bool) -> go.Figure:
    """Interactive plot of every series, opened on the last ten years.

    ``table`` has one row per series and month: series (String), date (Date, month start), temperature
    (Float64, °C, null where missing). Series are ordered as in ``labels``. With more than ``MAX_LINES`` of
    them, the band of all is drawn, and the first ``MAX_LINES`` wait in the legend to be switched on.
    """
    parts = table.partition_by("series", as_dict=True)
    frames = {str(series): on_calendar(frame) for (series,), frame in parts.items()}
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
