"""Text that others may have written, for a terminal."""

from __future__ import annotations

_LONGEST = 200


def printable(text: object) -> str:
    """One line without control characters: a terminal obeys those, and a line break would begin a line of our own."""
    line = "".join(one if one.isprintable() else "?" for one in str(text))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
