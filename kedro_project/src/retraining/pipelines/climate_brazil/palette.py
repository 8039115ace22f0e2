"""What all pictures of the climate pipeline share: colours, words, and how gaps are drawn.

Temperatures are monthly means in °C; a null is a missing month and is drawn as a gap, never bridged. Colours are
Okabe and Ito's (2008), which people with colour-blind vision can tell apart, without the yellow that vanishes on white.
"""

import polars as pl

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
SERIES_COLOURS = (BLUE, "#E69F00", GREEN, "#CC79A7", "#56B4E9", VERMILLION)
SERIES_DASHES = ("solid", "dot", "dash")  # a second cue once the colours repeat
INK, MUTED, GRID = "#1f2933", "#66707c", "#e3e7eb"
SIMULATED = "simulated sample"


def on_calendar(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with nulls in every month it skips, so that a skipped month is a gap like a missing one."""
    ordered = frame.sort("date")
    return ordered.upsample("date", every="1mo") if ordered.height > 1 else ordered
