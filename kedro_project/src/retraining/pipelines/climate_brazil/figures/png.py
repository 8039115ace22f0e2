"""Pictures of Matplotlib as small PNG files."""

import io
from functools import cache

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from tracked_kedro.reports.palette import BLUE, GREEN, GRID, INK, MUTED, VERMILLION

# Letters are most of the work, and fitting them to the pixel grid a fifth of that.
matplotlib.rcParams["text.hinting"] = "no_hinting"

BAND = 0.2  # opacity


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
