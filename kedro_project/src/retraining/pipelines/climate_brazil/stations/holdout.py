"""Which months are held out to score the model, and which series are too short for that."""

from __future__ import annotations

from datetime import date

import polars as pl

from retraining.pipelines.climate_brazil.errors import BadInputError, TrainingTooShortError

MIN_TRAINING_MONTHS = 24


def train_test_split(
    table: pl.DataFrame,
    testing_window: int,
    *,
    history_start: date | None = None,
    min_training_months: int = MIN_TRAINING_MONTHS,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hold out, per series, the last `testing_window` calendar months that end at its newest observation.

    What is dated before `history_start` is left out of the training part; the table, its checks and its plot keep it.
    A series that is left with too little (see `too_short`) costs the others nothing: its training fails by itself.

    Returns:
        The training part and the held-out part, both with the table's columns and its null months.

    Raises:
        TrainingTooShortError: every series would be left with fewer than `min_training_months` observed months.
    """
    train, test = _parts(table, testing_window, history_start)
    short = too_short(table, testing_window, history_start=history_start, min_training_months=min_training_months)
    if len(short) == table["series"].n_unique():
        raise TrainingTooShortError("; ".join(f"{series}: {reason}" for series, reason in short.items()))
    return train, test


def too_short(
    table: pl.DataFrame,
    testing_window: int,
    *,
    history_start: date | None = None,
    min_training_months: int = MIN_TRAINING_MONTHS,
) -> dict[str, str]:
    """Series that the held-out months and `history_start` leave fewer than `min_training_months`, with the reason."""
    train, _ = _parts(table, testing_window, history_start)
    left = dict(train.group_by("series").agg(pl.col("temperature").count()).iter_rows())
    reasons = {}
    for series in table["series"].unique(maintain_order=True):
        if (months := left.get(series, 0)) < min_training_months:
            since = f" from history_start = {history_start} on" if history_start else ""
            remedy = f", choose a history_start before {history_start}" if history_start else ""
            reasons[series] = (
                f"{months or 'no'} observed months{since} are left to train on when the last testing_window = "
                f"{testing_window} are held out, at least {min_training_months} are needed; lower testing_window"
                f"{remedy} or leave the series out"
            )
    return reasons


def too_old(table: pl.DataFrame, history_start: date | None) -> dict[str, str]:
    """Series of which nothing was observed from `history_start` on, with the reason."""
    if history_start is None:
        return {}
    newest = table.drop_nulls("temperature").group_by("series", maintain_order=True).agg(pl.col("date").max())
    return {
        series: f"its newest observation, {day}, is before history_start = {history_start}; choose an earlier one or "
        "leave the series out"
        for series, day in newest.iter_rows()
        if day < history_start
    }


def _parts(table: pl.DataFrame, testing_window: int, history_start: date | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    if testing_window < 1:
        raise BadInputError(f"testing_window is {testing_window}; it must be 1 or more months")
    newest = pl.col("date").filter(pl.col("temperature").is_not_null()).max().over("series")
    # The window is counted in calendar months: an absent month inside it shortens the scores, not the horizon.
    held_out = pl.col("date") > newest.dt.offset_by(f"-{testing_window}mo")
    recent = pl.col("date") >= history_start if history_start else pl.lit(True)
    return table.filter(~held_out & recent), table.filter(held_out & (pl.col("date") <= newest))
