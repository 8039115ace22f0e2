"""From views and ratings to one row per user and movie, with the target the model learns: a liking from 1 to 5."""

from __future__ import annotations

import polars as pl

#: Columns of the table of runtimes.
RUNTIMES = {"movie": pl.String, "runtime_minutes": pl.Float64}


def aggregate(events: pl.LazyFrame) -> pl.DataFrame:
    """One row per user and movie, ordered by both.

    Args:
        events: schema `stream.EVENTS`; several views of the same minute count once.

    Returns:
        Columns user, movie, minutes_watched (distinct minutes), n_ratings, rating (their mean, null without one).
    """
    grouped = events.group_by("user", "movie").agg(
        pl.col("minute").drop_nulls().n_unique().cast(pl.Int32).alias("minutes_watched"),
        pl.col("rating").count().cast(pl.Int32).alias("n_ratings"),
        pl.col("rating").cast(pl.Float64).mean().alias("rating"),
    )
    return grouped.collect(engine="streaming").sort("user", "movie")


def usual_runtime(runtimes: pl.DataFrame, otherwise: float) -> float:
    """Minutes that stand for an unknown runtime: the median of the known ones, `otherwise` where none is known."""
    known = runtimes.filter(pl.col("runtime_minutes") > 0)["runtime_minutes"].median()
    return float(known) if isinstance(known, int | float) else otherwise


def with_targets(pairs: pl.DataFrame, runtimes: pl.DataFrame, otherwise: float) -> pl.DataFrame:
    """Add share watched and target.

    The share is minutes watched by the runtime, clipped to 0–1. A movie that the table does not know, or knows with
    no positive runtime, counts with `usual_runtime`: the same for every run on the same table, and never taken from
    the stream, whose held-out part must not help the training part.

    Args:
        pairs: as `aggregate` returns them.
        runtimes: columns `RUNTIMES`, one row per movie; may be empty.
        otherwise: minutes of an unknown runtime where no runtime is known at all.

    Returns:
        The pairs with runtime_minutes, runtime_known, share_watched (0–1) and target: the mean rating (1–5) or, for a
        pair that was only watched, 1 + 4 × share watched.
    """
    known = runtimes.filter(pl.col("runtime_minutes") > 0)
    share = (pl.col("minutes_watched") / pl.col("runtime_minutes")).clip(0.0, 1.0)
    return (
        pairs.join(known, on="movie", how="left", maintain_order="left")
        .with_columns(pl.col("runtime_minutes").is_not_null().alias("runtime_known"))
        .with_columns(pl.col("runtime_minutes").fill_null(usual_runtime(runtimes, otherwise)))
        .with_columns(share.alias("share_watched"))
        .with_columns(pl.coalesce("rating", 1 + 4 * pl.col("share_watched")).alias("target"))
    )
