"""Pictures of a run beside the champion, for a person who approves (Matplotlib). Pure functions; see `palette`.

Airflow's approval form shows a picture 300 pixels wide: few series, large letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, MonthLocator
from matplotlib.figure import Figure

from tracked_kedro.kedro_side.simulated import SIMULATED
from tracked_kedro.reports.palette import BLUE, GRID, INK, MUTED, VERMILLION

KEYS = ["series", "date"]
SHOWN_SCORES, SHOWN_FORECASTS = 15, 3
_WIDTH = 6.4  # inches, of 100 pixels
_RECENT = 24  # months


def scores_figure(held_out: pl.DataFrame, labels: Mapping[str, str], simulated: bool) -> Figure | None:
    """Held-out CRPS of each series, challenger and champion on the months that they share; the largest changes.

    Args:
        held_out: CRPS of both in each of those months: series, date, challenger, champion (°C).
        labels: name of each series for people.
        simulated: whether the data is made up; the picture then says so.

    Returns:
        The picture; None where they share no held-out month.
    """
    if held_out.is_empty():
        return None
    means = held_out.group_by("series").agg(pl.col("challenger").mean(), pl.col("champion").mean())
    change = (pl.col("challenger") - pl.col("champion")).abs()
    rows = means.sort(change, pl.col("series"), descending=[True, False]).head(SHOWN_SCORES)
    figure, (axes,) = _panels(1, 1.7 + 0.42 * rows.height)
    for place, (series, challenger, champion) in enumerate(reversed(rows.rows())):
        axes.plot([champion, challenger], [place, place], color=GRID, lw=3, zorder=1)
        axes.plot(champion, place, "D", ms=9, color=MUTED, label="champion" if place == 0 else None)
        axes.plot(challenger, place, "o", ms=9, color=BLUE, label="challenger" if place == 0 else None)
        axes.text(-0.02, place, labels.get(series, series), ha="right", va="center", fontsize=14, color=INK,
                  transform=axes.get_yaxis_transform(), parse_math=False)  # fmt: skip
    axes.set_yticks([])
    axes.set_ylim(-0.6, rows.height - 0.4)
    axes.set_xlabel("CRPS (°C), lower is better", fontsize=14, color=INK)
    _finish(figure, "Held-out CRPS, same months", simulated, left=0.36)
    return figure


def forecasts_figure(
    own: pl.DataFrame,
    champions: pl.DataFrame,
    observed: pl.DataFrame,
    labels: Mapping[str, str],
    cutoff: date,
    simulated: bool,
) -> Figure | None:
    """Forecasts ahead of those series whose forecast moved most, with the champion's; None where there is none.

    Args:
        own: forecast table of this run (`series_tables.FORECAST_SCHEMA`).
        champions: forecast table of the champion.
        observed: (series, date, temperature in °C).
        labels: name of each series for people.
        cutoff: first day that was not read.
        simulated: whether the data is made up.
    """
    ahead = own.filter(pl.col("kind") == "ahead").sort("date")
    before = champions.filter(pl.col("kind") == "ahead").sort("date")
    moved = (
        ahead.join(before.select(*KEYS, champion="mean"), on=KEYS, how="left")
        .group_by("series")
        .agg(by=(pl.col("mean") - pl.col("champion")).mean().abs().fill_null(0.0))
        .sort("by", "series", descending=[True, False])
    )
    chosen = moved["series"].head(SHOWN_FORECASTS).to_list()
    if not chosen:
        return None
    since = pl.lit(cutoff).dt.offset_by(f"-{_RECENT}mo")
    figure, panels = _panels(len(chosen), 1.6 + 2.1 * len(chosen))
    for axes, series in zip(panels, chosen, strict=True):
        this = pl.col("series") == series
        known = observed.filter(this & (pl.col("date") >= since)).drop_nulls("temperature")
        axes.plot(known["date"].to_numpy(), known["temperature"].to_numpy(), "o", ms=5, color=INK, label="observed")
        new, old = ahead.filter(this), before.filter(this & (pl.col("date") >= since))
        months = new["date"].to_numpy()
        axes.fill_between(months, new["q10"].to_numpy(), new["q90"].to_numpy(), color=BLUE, alpha=0.2, lw=0)
        axes.plot(months, new["mean"].to_numpy(), color=BLUE, lw=2.5, label="challenger, 80 %")
        if old.height:
            axes.plot(old["date"].to_numpy(), old["mean"].to_numpy(), "--", color=MUTED, lw=2.5, label="champion")
        axes.set_title(labels.get(series, series), loc="left", fontsize=14, color=INK, parse_math=False)
        axes.set_ylabel("°C", fontsize=14, color=INK)
        axes.xaxis.set_major_locator(MonthLocator((1, 7)))
        axes.xaxis.set_major_formatter(DateFormatter("%b %Y"))
    _finish(figure, "Forecasts that moved most" if champions.height else "Forecasts", simulated, left=0.11)
    return figure


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(_WIDTH, height), dpi=100, facecolor="white")
    return figure, [figure.add_subplot(count, 1, place + 1) for place in range(count)]


def _finish(figure: Figure, title: str, simulated: bool, left: float) -> None:
    height = float(figure.get_figheight())
    for axes in figure.axes:
        axes.grid(axis="x" if axes.get_yticks().size == 0 else "y", color=GRID)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, labelsize=13, labelcolor=INK)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(MUTED)
    figure.subplots_adjust(left=left, right=0.97, top=1 - 1.15 / height, bottom=0.65 / height, hspace=0.42)
    figure.text(0.02, 1 - 0.32 / height, title, fontsize=17, weight="bold", color=INK)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper left", bbox_to_anchor=(0.0, 1 - 0.36 / height), ncols=len(names),
                  frameon=False, fontsize=13, labelcolor=INK, handletextpad=0.4, columnspacing=1.2)  # fmt: skip
    if simulated:
        figure.text(0.98, 1 - 0.32 / height, SIMULATED, ha="right", fontsize=13, color=VERMILLION, weight="bold")
