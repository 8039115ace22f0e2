"""What the pictures of the climate pipeline share: lines of series, and how gaps are drawn.

Temperatures are monthly means in °C; a null is a missing month and is drawn as a gap, never bridged.
"""

import polars as pl

from tracked_kedro.reports.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION

SERIES_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
SERIES_DASHES = ("solid", "dot", "dash")  # a second cue once the colours repeat


def on_calendar(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with nulls in every month it skips, so that a skipped month is a gap like a missing one."""
    ordered = frame.sort("date")
    return ordered.upsample("date", every="1mo") if ordered.height > 1 else ordered
