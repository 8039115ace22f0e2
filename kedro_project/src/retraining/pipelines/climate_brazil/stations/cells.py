"""The text of cells as numbers, and the shape of a text in words: messages must never show the text itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

MISSING_CODES = (999.9,)
# How people and programs write "missing". A dash is not among them: in Brazilian tables it means zero.
_MISSING = re.compile(r"|nan|na|n/a|#n/a|null|none|\*+", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,4},\d+")
# Digits of a float32 that was written as the float64 that it became: 27.73 as 27.729999542236328.
_WIDENED = 11

_KINDS = (
    ("letters", str.isalpha),
    ("digits", str.isdigit),
    ("spaces", str.isspace),
    ("signs", str.isprintable),
)


def shape(text: str) -> str:
    """Length and kinds of characters, such as "5 characters: letters and digits"."""
    if not text:
        return "empty"
    found = {next((kind for kind, is_of in _KINDS if is_of(one)), "control characters") for one in text}
    kinds = [kind for kind in ("letters", "digits", "signs", "spaces", "control characters") if kind in found]
    words = f"{', '.join(kinds[:-1])} and {kinds[-1]}" if len(kinds) > 1 else kinds[0]
    return f"{len(text)} character{'s' if len(text) > 1 else ''}: {words}"


def numbers(texts: Sequence[str], missing_codes: Sequence[float] = MISSING_CODES) -> tuple[np.ndarray, list[int]]:
    """Cells as numbers.

    A decimal comma is one where no other cell has a decimal point. A number that is a float32 written at full length
    is the short one that it stands for.

    Returns:
        (len(texts),) values, NaN where the text means "missing"; and the positions of the texts that mean neither.
    """
    column = pl.Series(texts, dtype=pl.String)
    values = column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy(writable=True)
    odd = np.flatnonzero(~np.isfinite(values)).tolist()
    commas = [place for place in odd if _DECIMAL_COMMA.fullmatch(texts[place])]
    if commas and not any("." in text for text in texts):
        for place in commas:
            values[place] = float(texts[place].replace(",", "."))
        odd = sorted(set(odd) - set(commas))
    bad = [place for place in odd if not _MISSING.fullmatch(texts[place])]
    values[odd] = np.nan
    for place in np.flatnonzero((column.str.len_chars() >= _WIDENED).to_numpy() & np.isfinite(values)).tolist():
        with np.errstate(over="ignore"):
            narrow = np.float32(values[place])
        if float(narrow) == values[place]:
            values[place] = float(str(narrow))
    values[np.isin(values, missing_codes)] = np.nan
    return values, bad
