"""A small picture of a pooled score by month, with the months whose model was promoted, as SVG coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracked_kedro.web.forecasts.runs import SCORES, StoredRun

WIDTH, HEIGHT, MARGIN = 640, 72, 8
_MOST_MONTHS = 60


@dataclass(frozen=True)
class Point:
    """One month: its place in the picture, and how wide the area is that leads to it."""

    month: str
    value: float
    x: float
    y: float
    promoted: bool


@dataclass(frozen=True)
class Trend:
    """The months that have a score, the oldest first.

    Attributes:
        step: width of a month.
        line: SVG path through the points.
    """

    score: str
    points: tuple[Point, ...]
    step: float
    line: str

    @property
    def least(self) -> float:
        """The lowest value."""
        return min(point.value for point in self.points)

    @property
    def most(self) -> float:
        """The highest value."""
        return max(point.value for point in self.points)


def trend(runs: Sequence[StoredRun]) -> Trend | None:
    """Picture of the first score that two months have; None where there is none.

    Args:
        runs: one of each month, the newest first.
    """
    shown = list(reversed(runs[:_MOST_MONTHS]))
    name = next((name for name in SCORES if sum(name in run.scores for run in shown) > 1), None)
    if name is None:
        return None
    scored = [run for run in shown if name in run.scores]
    values = [run.scores[name] for run in scored]
    scale = (HEIGHT - 2 * MARGIN) / ((max(values) - min(values)) or 1.0)
    step = (WIDTH - 2 * MARGIN) / (len(scored) - 1)
    points = tuple(
        Point(
            run.month,
            value,
            round(MARGIN + place * step, 1),
            round(HEIGHT - MARGIN - (value - min(values)) * scale, 1),
            run.promoted,
        )
        for place, (run, value) in enumerate(zip(scored, values, strict=True))
    )
    line = "M" + "L".join(f"{point.x} {point.y}" for point in points)
    return Trend(SCORES[name], points, step, line)
