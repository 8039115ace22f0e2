"""Digest of a table, by which equal data is known."""

from __future__ import annotations

import hashlib

import polars as pl

_SLICE = 100_000


def table_digest(table: pl.DataFrame) -> str:
    """Sixteen hexadecimal digits; MLflow takes at most 36."""
    # Written out as CSV: polars' own hash may differ between its versions. In slices, for a table may be large.
    digest = hashlib.sha256(",".join(table.columns).encode() + b"\n")
    for part in table.iter_slices(_SLICE):
        digest.update(part.write_csv(include_header=False).encode())
    return digest.hexdigest()[:16]
