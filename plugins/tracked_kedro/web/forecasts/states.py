"""One word for each series: what a person is to know of it. The same words whatever became of the run's model."""

from __future__ import annotations

import polars as pl

#: Below this share of held-out months inside it, an 80 % interval is doubted: of twelve months 7 or more are inside
#: with a probability of 0.98, where the interval is right.
LEAST_COVERAGE = 0.55

#: What each word means. What is to be looked at first stands first when the table is sorted by status.
MEANINGS = {
    "failed": "it could not be trained; the reason stands beside it",
    "quarantined": "its data was refused and set aside; the reason stands beside it",
    "stale": "its newest observation is too old for this month",
    "degraded": "forecast, but the fit did not pass its own checks",
    "doubtful": f"forecast, but less than {100 * LEAST_COVERAGE:.0f} % of the held-out months lie in its 80 % interval",
    "carried over": "not trained in this run: the forecast is the champion's",
    "finished": "trained and forecast, with nothing to report",
}
STATES = tuple(MEANINGS)
ATTENTION = STATES[:-1]


def state() -> pl.Expr:
    """The word, from the columns `status`, `stale`, `degraded` and `coverage_80` of an overview.

    table.with_columns(state().alias("state"))
    """
    status = pl.col("status")
    return (
        pl.when(status.is_in(["failed", "quarantined"]))
        .then(status)
        # Before its age: a pipeline may call stale what it has not trained, however new its observations are.
        .when(status == "carried_over")
        .then(pl.lit("carried over"))
        .when(pl.col("stale").fill_null(False))
        .then(pl.lit("stale"))
        .when(pl.col("degraded").fill_null(False))
        .then(pl.lit("degraded"))
        .when(pl.col("coverage_80").fill_null(1.0) < LEAST_COVERAGE)
        .then(pl.lit("doubtful"))
        .otherwise(pl.lit("finished"))
    )
