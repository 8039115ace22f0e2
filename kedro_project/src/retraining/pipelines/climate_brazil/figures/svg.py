"""Plots as SVG text, written without a plotting library: what a fleet draws by the ten thousand costs milliseconds.

Coordinates are pixels from the upper left. Values are arrays of the same length; NaN is a gap, and so is a month that
is skipped. Words are escaped: whatever a label holds, it stays text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
# Characters that XML 1.0 cannot hold, escaped or not.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Panel:
    """A rectangle of the plot and the values at its edges.

    Attributes:
        left: of the rectangle, as the three that follow.
        first: month (since 1970) at the left edge.
        last: month at the right edge.
        low: value at the lower edge.
        high: value at the upper edge.
    """

    left: float
    right: float
    top: float
    bottom: float
    first: float
    last: float
    low: float
    high: float

    def x(self, months: np.ndarray | float) -> np.ndarray:
        """Pixels of months since 1970."""
        return self.left + (np.asarray(months) - self.first) * ((self.right - self.left) / (self.last - self.first))

    def y(self, values: np.ndarray | float) -> np.ndarray:
        """Pixels of values."""
        return self.bottom - (np.asarray(values) - self.low) * ((self.bottom - self.top) / (self.high - self.low))

    def inside(self, months: np.ndarray) -> slice:
        """Where sorted months are in the panel, with one more on each side: a line leaves through the edge."""
        start, stop = np.searchsorted(months, (self.first, self.last))
        return slice(max(0, int(start) - 1), int(stop) + 1)


def line(panel: Panel, months: np.ndarray, values: np.ndarray) -> str:
    """Path data of a line through the values; a month alone between gaps is drawn a third of a month long."""
    return "".join(f"M{_points(x, y)}" for x, y in _runs(panel, months, values))


def band(panel: Panel, months: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Path data of the area between two lines."""
    upper = _runs(panel, months, np.where(np.isnan(low), np.nan, high))
    lower = _runs(panel, months, np.where(np.isnan(high), np.nan, low))
    return "".join(
        f"M{_points(x, y)}L{_points(x[::-1], z[::-1])}Z" for (x, y), (_, z) in zip(upper, lower, strict=True)
    )


def dots(panel: Panel, months: np.ndarray, values: np.ndarray, shape: str = "h0") -> str:
    """Path data of a mark at each value: `shape` from there, by default a dot as wide as the stroke with round ends."""
    known = ~np.isnan(values)
    pairs = np.stack([panel.x(months[known]), panel.y(values[known])], axis=1)
    return "".join([f"M{x:.1f} {y:.1f}{shape}" for x, y in pairs.tolist()])


def text(x: float, y: float, words: str, **style: str | float) -> str:
    """Words at a place; `style` are attributes of SVG with `_` for `-`, such as font_size."""
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{plain(words)}</text>'


def plain(words: str) -> str:
    """Words as SVG may hold them."""
    return escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", words))


def width(words: str, size: float) -> float:
    """About how wide words are: whoever shows the picture chooses the letters."""
    return 0.54 * size * len(words)


def round_steps(low: float, high: float, at_most: int) -> list[float]:
    """Round values (1, 2, 5 times a power of ten apart) from low to high, at most so many intervals."""
    least = (high - low) / at_most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step)))
    return [round(step * n, decimals) for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _runs(panel: Panel, months: np.ndarray, values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pixels of the unbroken stretches of sorted months."""
    seen = panel.inside(months)
    months, values = months[seen], values[seen]
    known = ~np.isnan(values)
    months, values = months[known], values[known]
    if not len(months):
        return
    cuts = np.flatnonzero(np.diff(months) != 1) + 1
    for m, v in zip(np.split(months, cuts), np.split(values, cuts), strict=True):
        alone = len(m) == 1
        yield panel.x(m + np.array([-1 / 6, 1 / 6]) if alone else m), panel.y(np.repeat(v, 2) if alone else v)


def _points(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(["%.1f %.1f" % pair for pair in zip(x.tolist(), y.tolist(), strict=True)])  # noqa: UP031 (faster)
