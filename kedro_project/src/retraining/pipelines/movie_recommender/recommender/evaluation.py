"""Holding out, and scoring what was held out: error of the liking, and how well movies are ranked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from retraining.pipelines.movie_recommender.recommender.baselines import baselines
from retraining.pipelines.movie_recommender.recommender.errors import TooFewPairsError
from retraining.pipelines.movie_recommender.recommender.factors import FactorModel, best_of

#: Lengths of list at which ranking is scored; the headline is 20.
DEPTHS = (1, 2, 3, 5, 10, 20, 50)
DEPTH = 20
#: A held-out movie that its user likes this much should be on the list.
RELEVANT_FROM = 4.0
MIN_PAIRS = 20
_BATCH = 256


def split(pairs: pl.DataFrame, test_size: float, random_state: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Training and test part, by chance.

    A pair of user and movie is one row, so that its views and ratings are never on both sides; the order of the rows
    says nothing, so that the same pairs are always split the same way.

    Raises:
        TooFewPairsError: fewer than `MIN_PAIRS` pairs, or a side without any.
    """
    ordered = pairs.sort("user", "movie")
    n_test = round(test_size * ordered.height)
    if ordered.height < MIN_PAIRS or not 0 < n_test < ordered.height:
        raise TooFewPairsError(
            f"{ordered.height} pairs of user and movie are too few to hold out {test_size:g} of them; "
            f"{MIN_PAIRS} are needed: give a longer stream, or a later cutoff"
        )
    shuffled = np.random.RandomState(random_state).permutation(ordered.height)
    return ordered[np.sort(shuffled[n_test:])], ordered[np.sort(shuffled[:n_test])]


def evaluate(model: FactorModel, training: pl.DataFrame, test: pl.DataFrame, users: int, seed: int) -> dict[str, Any]:
    """Scores of the model and of the baselines on the same held-out pairs.

    Ranking is scored for users who have a held-out movie with a liking of at least `RELEVANT_FROM`: among all movies of
    the training part that the user has not seen there, each method names its best. Recall@n is the share of the user's
    liked held-out movies among the first n; NDCG@n also weighs their ranks (gain 1, discount 1 / log2(rank + 1)). Both
    are means over users. A held-out movie that the training part does not have cannot be named: missed by all.

    Args:
        model: trained on `training`; users it does not know get its popular list.
        training, test: the two parts, columns user, movie, target.
        users: of how many users, at most, the ranking is scored; chosen by chance.
        seed: of that choice, and of the baselines' order among equals.

    Returns:
        {"models": {name: {"rmse", "recall": {n: …}, "ndcg": {n: …}}}, and counts of what was scored}.
    """
    user, movie = _rows(model, test)
    target = test["target"].to_numpy()
    train_movie = model.movie_index(training["movie"].to_numpy().astype(str))
    others = baselines(train_movie, training["target"].to_numpy(), model.movies.size, seed)
    likings = {"model": model.predict(user, movie), **{name: one.predict(movie) for name, one in others.items()}}
    relevant = _relevant(test, movie, users, seed)
    scored = np.array(list(relevant))
    orders: dict[str, Callable[[NDArray[np.int64]], list[NDArray[np.int64]]]] = {
        "model": partial(_model_lists, model),
        **{name: partial(_shared_lists, model, order=one.order) for name, one in others.items()},
    }
    ranks = {name: _ranking(lists, model.user_index(scored), list(relevant.values())) for name, lists in orders.items()}
    return {
        "models": {
            name: {"rmse": float(np.sqrt(np.mean((liking - target) ** 2))), **ranks[name]}
            for name, liking in likings.items()
        },
        "n_train": training.height,
        "n_test": test.height,
        "n_ranked_users": len(relevant),
        "share_new_users": float(np.mean(user < 0)),
        "share_new_movies": float(np.mean(movie < 0)),
        "share_ranked_users_new": float(np.mean(model.user_index(scored) < 0)) if relevant else 0.0,
    }


def _rows(model: FactorModel, pairs: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return (
        model.user_index(pairs["user"].to_numpy()),
        model.movie_index(pairs["movie"].to_numpy().astype(str)),
    )


def _relevant(test: pl.DataFrame, movie: NDArray[np.int64], users: int, seed: int) -> dict[int, NDArray[np.int64]]:
    """Liked held-out movies (rows, -1 for those nobody can name) of each user whose ranking is scored."""
    liked = test.select("user", pl.Series("movie", movie), "target").filter(pl.col("target") >= RELEVANT_FROM)
    ids = liked["user"].unique().sort().to_numpy()
    if ids.size > users:
        ids = np.sort(np.random.RandomState(seed).choice(ids, users, replace=False))
    chosen = liked.filter(pl.col("user").is_in(pl.Series(ids).implode())).sort("user", "movie")
    return {int(key[0]): part["movie"].to_numpy() for key, part in chosen.group_by("user", maintain_order=True)}


def _model_lists(model: FactorModel, users: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The model's best unseen movies of each user (row): the popular list for the unknown."""
    popular = model.popular()[: DEPTHS[-1]]
    lists = [popular] * users.size
    known = np.flatnonzero(users >= 0)
    for start in range(0, known.size, _BATCH):
        batch = known[start : start + _BATCH]
        scores = model.scores(users[batch])
        for row, user in enumerate(users[batch]):
            scores[row, model.seen_by(user)] = -np.inf
        for at, best in zip(batch, best_of(scores, DEPTHS[-1]), strict=True):
            lists[at] = best
    return lists


def _shared_lists(model: FactorModel, users: NDArray[np.int64], order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """One order for everybody, without what each user (row) has seen."""
    lists = []
    for user in users:
        seen = model.seen_by(user) if user >= 0 else np.empty(0, dtype=np.int32)
        head = order[: DEPTHS[-1] + seen.size]
        lists.append(head[~np.isin(head, seen)][: DEPTHS[-1]])
    return lists


def _ranking(
    lists: Callable[[NDArray[np.int64]], list[NDArray[np.int64]]],
    users: NDArray[np.int64],
    relevant: list[NDArray[np.int64]],
) -> dict[str, dict[int, float]]:
    """{"recall": {n: mean over users}, "ndcg": {n: …}}; zeros where no user has a liked held-out movie."""
    if not relevant:
        return {name: dict.fromkeys(DEPTHS, 0.0) for name in ("recall", "ndcg")}
    hits = np.zeros((len(relevant), DEPTHS[-1]))
    for row, (found, wanted) in enumerate(zip(lists(users), relevant, strict=True)):
        hits[row, : found.size] = np.isin(found, wanted)
    size = np.array([wanted.size for wanted in relevant])
    discount = 1 / np.log2(np.arange(2, DEPTHS[-1] + 2))
    gains, ideal = np.cumsum(hits * discount, axis=1), np.cumsum(discount)
    return {
        "recall": {n: float(np.mean(hits[:, :n].sum(axis=1) / size)) for n in DEPTHS},
        "ndcg": {n: float(np.mean(gains[:, n - 1] / ideal[np.minimum(size, n) - 1])) for n in DEPTHS},
    }
