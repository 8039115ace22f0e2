"""A small picture of a series' recent months and its next forecast, as SVG paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN = 160, 32, 3


@dataclass(frozen=True)
class Sparkline:
    """Coordinates within WIDTH × HEIGHT.

    Attributes:
        line: path through the observations, broken where one is missing.
        interval: x, upper and lower y of the forecast's interval; None without one.
        forecast: x and y of the forecast's mean.
    """

    line: str
    interval: tuple[float, float, float] | None
    forecast: tuple[float, float] | None


def sparkline(
    recent: Sequence[float | None], mean: float | None, low: float | None, high: float | None
) -> Sparkline | None:
    """Picture of the recent observations, oldest first, and of the forecast after them; None without observations."""
    values = [value for value in (*recent, mean, low, high) if value is not None]
    if not any(value is not None for value in recent):
        return None
    least, most = min(values), max(values)
    scale = (HEIGHT - 2 * MARGIN) / ((most - least) or 1.0)
    step = (WIDTH - 2 * MARGIN) / max(len(recent), 1)

    def y(value: float) -> float:
        return round(HEIGHT - MARGIN - (value - least) * scale, 1)

    path, drawing = [], False
    for place, value in enumerate(recent):
        if value is not None:
            path.append(f"{'L' if drawing else 'M'}{MARGIN + place * step:.1f} {y(value)}")
            # A month alone between two gaps is a dot.
            path.append("h0.01" if not drawing else "")
        drawing = value is not None
    end = round(WIDTH - MARGIN, 1)
    return Sparkline(
        "".join(path),
        (end, y(high), y(low)) if low is not None and high is not None else None,
        (end, y(mean)) if mean is not None else None,
    )
