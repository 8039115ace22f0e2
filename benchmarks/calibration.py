"""The calibration plot of the README: how often central intervals held the month, against how often they should."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "calibration.png"
NOMINAL = np.array([*range(10, 100, 10), 95]) / 100
# Okabe and Ito's palette, told apart by marker and line as well as by colour.
STYLES = (("#0072b2", "o", "-"), ("#d55e00", "s", "--"))


def coverage(pit: np.ndarray) -> np.ndarray:
    """Share of months inside the central interval of each NOMINAL mass; `pit` is F(actual) by month."""
    return (np.abs(2 * pit[:, None] - 1) <= NOMINAL).mean(axis=0)


def draw(pits: Mapping[str, np.ndarray]) -> None:
    """Draw the plot from the probability integral transforms of each model."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 5.2), dpi=160, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 100], [0, 100], color="#8a939e", linewidth=1, zorder=1)
    axes.annotate("ideal", (31, 32), rotation=45, color="#5d6773", fontsize=9, ha="center", va="bottom")
    for (name, pit), (colour, marker, line) in zip(pits.items(), STYLES, strict=False):
        at_80 = coverage(pit)[list(NOMINAL).index(0.8)]
        axes.plot(
            100 * NOMINAL,
            100 * coverage(pit),
            color=colour,
            marker=marker,
            linestyle=line,
            linewidth=1.6,
            markersize=5,
            label=f"{name}: 80 % interval held {100 * at_80:.1f} %",
            zorder=2,
        )
    count = len(next(iter(pits.values())))
    axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    axes.set_xlabel("nominal mass of the central interval (%)")
    axes.set_ylabel("observed months inside it (%)")
    title = f"Calibration, 1 to 12 months ahead\n{count:,} held-out months of 12 stations, origins 2008–2018"
    axes.set_title(title, fontsize=10.5, loc="left")
    axes.grid(color="#e4e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE)
