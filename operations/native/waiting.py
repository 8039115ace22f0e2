"""How long a start waits for a server, as whoever starts it says."""

from __future__ import annotations

import math
import os
from pathlib import Path

import click

VARIABLE = "READY_WITHIN"
_DEFAULT = 300.0  # tables are made at the first start, on two busy cores


def ready_within() -> float:
    """Seconds that a start waits for each server: READY_WITHIN, else five minutes.

    Raises:
        click.ClickException: the variable holds no such number.
    """
    text = os.environ.get(VARIABLE) or str(_DEFAULT)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise click.ClickException(f"{VARIABLE} is {text!r}; it is the seconds to wait for each server, such as 600")
    return seconds


def not_in_time(name: str, within: float, logs: Path) -> str:
    """What to tell of a server that has not answered."""
    return (
        f"{name} did not answer within {within:g} s; see {logs}. On a machine that is only slow, "
        f"wait longer: {VARIABLE}={2 * within:g}"
    )
