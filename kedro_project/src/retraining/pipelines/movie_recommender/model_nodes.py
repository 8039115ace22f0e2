"""Nodes that train, score and use the recommender."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from retraining.pipelines.movie_recommender.recommender.config import FactorisationConfig
from retraining.pipelines.movie_recommender.recommender.evaluation import evaluate, split
from retraining.pipelines.movie_recommender.recommender.factors import FactorModel, best_of
from retraining.pipelines.movie_recommender.recommender.training import train

log = logging.getLogger(__name__)

_BATCH = 512


def train_and_evaluate(
    pairs: pl.DataFrame, test_size: float, random_state: int, model: FactorisationConfig, ranked_users: int
) -> tuple[FactorModel, dict[str, Any]]:
    """Train on a part of the pairs, score on the rest beside the baselines, and train again on all of them.

    Returns:
        The model trained on everything, and the scores of the one trained on the training part (see `evaluate`) with
        facts about the pairs that explain them.
    """
    training, test = split(pairs, test_size, random_state)
    scores = evaluate(train(training, model, random_state), training, test, ranked_users, random_state)
    per_user = pairs.group_by("user").len()["len"]
    scores |= {
        "n_pairs": pairs.height,
        "n_users": len(per_user),
        "n_movies": pairs["movie"].n_unique(),
        "share_users_of_one_pair": int((per_user == 1).sum()) / len(per_user),
        "n_watched_only": int((pairs["n_ratings"] == 0).sum()),
        "mean_target_watched_only": _mean(pairs.filter(pl.col("n_ratings") == 0)["target"]),
        "share_runtimes_known": int(pairs["runtime_known"].sum()) / pairs.height,
    }
    return train(pairs, model, random_state), scores


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return float(mean) if isinstance(mean, float) else None


def top_n(model: FactorModel, top_n: int) -> pl.DataFrame:
    """List the best unseen movies of every user, and the popular list for everybody else (user null).

    Returns:
        Columns user, rank (from 1), movie, liking (expected, 1 to 5).
    """
    rows = [_table(model, np.array([-1]), model.popular()[None, :top_n])]
    users = np.arange(model.users.size)
    for start in range(0, users.size, _BATCH):
        batch = users[start : start + _BATCH]
        scores = model.scores(batch)
        for row, user in enumerate(batch):
            scores[row, model.seen_by(user)] = -np.inf
        best = best_of(scores, top_n)
        # Of somebody who has seen nearly everything, fewer are left.
        rows.append(_table(model, batch, np.where(np.isfinite(np.take_along_axis(scores, best, axis=1)), best, -1)))
    table = pl.concat(rows)
    log.info("Recommendations: %s rows for %s users", f"{table.height:,}", f"{users.size:,}")
    return table


def _table(model: FactorModel, users: np.ndarray, best: np.ndarray) -> pl.DataFrame:
    user, rank, movie = (
        np.repeat(users, best.shape[1]),
        np.tile(np.arange(1, best.shape[1] + 1), users.size),
        best.ravel(),
    )
    kept = movie >= 0
    user, rank, movie = user[kept], rank[kept], movie[kept]
    ids = pl.Series("user", model.users[user]) if users[0] >= 0 else pl.Series("user", [None] * user.size, pl.Int64)
    return pl.DataFrame(
        {
            "user": ids,
            "rank": pl.Series(rank, dtype=pl.Int32),
            "movie": model.movies[movie],
            "liking": pl.Series(model.predict(user, movie), dtype=pl.Float32),
        }
    )


def describe_run(summary: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of the parent run: its name, month and data, and the configured ones."""
    if summary["simulated"]:
        log.warning("The stream is a simulated sample, not a recording")
    counts = summary["counts"]
    return {
        "mlflow.runName": f"movie_recommender {summary['month']}",
        "mlflow.note.content": (
            f"Retraining for {summary['month']} on {counts['events']:,} views and ratings from {summary['origin']}; "
            f"nothing dated on or after {summary['cutoff']} was read. "
            "Start with `report/report.html` among the artifacts."
        ),
        "cutoff": summary["cutoff"],
        "newest_observation": summary["last"],
        "data_source": summary["origin"],
        "simulated": str(summary["simulated"]).lower(),
        **tags,
    }
