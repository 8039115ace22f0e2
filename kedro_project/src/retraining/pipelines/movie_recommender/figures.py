"""Picture of the model beside the baselines (Matplotlib). Pure functions, in the colours that all reports share."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

from tracked_kedro.kedro_side.simulated import SIMULATED
from tracked_kedro.reports.palette import BLUE, GREEN, GRID, INK, MUTED, ORANGE, VERMILLION

#: Name of each method for people, and how its line is drawn; the order is that of tables.
METHODS = {"model": "model", "item_bias": "item bias", "popularity": "popularity", "global_mean": "global mean"}
_LINES = {"model": (BLUE, "-", "o"), "item_bias": (GREEN, "--", "s"), "popularity": (ORANGE, "-.", "^")}
_LINES["global_mean"] = (MUTED, ":", "D")


def metrics_figure(scores: Mapping[str, Any], month: str, simulated: bool) -> Figure:
    """Error of the liking as bars, recall and NDCG over the length of the list as lines.

    Args:
        scores: as `evaluation.evaluate` returns them; the lengths of lists may be text, as JSON has them.
        month: the last month that was read, YYYY-MM.
        simulated: whether the stream is the simulated sample; the title then says so.
    """
    figure = Figure(figsize=(12, 4.2), dpi=100, facecolor="white")
    error, recall, ndcg = figure.subplots(1, 3, width_ratios=(3, 4, 4))
    figure.subplots_adjust(left=0.085, right=0.985, top=0.78, bottom=0.16, wspace=0.24)
    _bars(error, scores["models"])
    _lines(recall, scores["models"], "recall", "Recall@n (share of liked held-out movies)")
    _lines(ndcg, scores["models"], "ndcg", "NDCG@n (0 to 1)")
    recall.legend(frameon=False, fontsize=9, loc="upper left")
    title = f"Recommender, {month}: {scores['n_test']:,} held-out pairs, {scores['n_ranked_users']:,} ranked users"
    figure.text(0.012, 0.925, title, fontsize=13, color=INK, weight="bold")
    if simulated:
        figure.text(0.988, 0.925, SIMULATED, fontsize=12, color=VERMILLION, weight="bold", ha="right")
    return figure


def png(figure: Figure) -> bytes:
    """The picture as a file."""
    content = io.BytesIO()
    FigureCanvasAgg(figure).print_png(content)
    return content.getvalue()


def _bars(axes: Axes, models: Mapping[str, Any]) -> None:
    names = [name for name in reversed(METHODS) if name in models]
    values = [models[name]["rmse"] for name in names]
    axes.barh([METHODS[name] for name in names], values, color=[_LINES[name][0] for name in names], height=0.62)
    for row, value in enumerate(values):
        axes.text(value, row, f" {value:.3f}", va="center", fontsize=9, color=INK)
    axes.set_xlim(0, 1.22 * max(values))
    axes.set_title("Error of the liking: lower is better", fontsize=10, color=INK, loc="left")
    axes.set_xlabel("RMSE (points on the scale 1–5)", fontsize=9, color=INK)
    _plain(axes)


def _lines(axes: Axes, models: Mapping[str, Any], metric: str, label: str) -> None:
    for name, words in METHODS.items():
        values = {int(n): value for n, value in models[name][metric].items()}
        colour, dash, marker = _LINES[name]
        axes.plot(list(values), list(values.values()), dash, color=colour, marker=marker, ms=4, lw=1.6, label=words)
    axes.set_xscale("log")
    axes.set_xticks(list(values))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    if metric == "recall":
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_title(f"{label.split('@')[0]}: higher is better", fontsize=10, color=INK, loc="left")
    axes.set_xlabel("n, length of the list (movies)", fontsize=9, color=INK)
    axes.set_ylabel(label, fontsize=9, color=INK)
    axes.grid(axis="y", color=GRID)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=9, colors=INK)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
