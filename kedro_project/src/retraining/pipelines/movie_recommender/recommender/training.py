"""Training by stochastic gradient descent with cornac's matrix factorisation; same data and seed, same model."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import polars as pl

from retraining.pipelines.movie_recommender.recommender.config import FactorisationConfig
from retraining.pipelines.movie_recommender.recommender.factors import FactorModel


def train(pairs: pl.DataFrame, config: FactorisationConfig, seed: int) -> FactorModel:
    """Fit a factor model.

    Args:
        pairs: columns user, movie and target (1–5), one row per user and movie.
        config: size of the factors, and how they are learnt.
        seed: of the first values and of the order in which pairs are visited.
    """
    # Imported here: cornac costs two seconds, and every Kedro command loads this module.
    from cornac.data import Dataset
    from cornac.models import MF

    users, user = np.unique(pairs["user"].to_numpy(), return_inverse=True)
    movies, movie = np.unique(pairs["movie"].to_numpy().astype(str), return_inverse=True)
    target = pairs["target"].to_numpy().astype(np.float32)
    # Visited in one order throughout: sorted by user, the last users would have the last word on every movie.
    order = np.random.RandomState(seed).permutation(target.size)
    triples = (user[order].astype(np.int64), movie[order].astype(np.int64), target[order])
    # cornac wants its maps from ids to rows, and only their sizes are read: ids are rows here already.
    rows = (OrderedDict((row, row) for row in range(size)) for size in (users.size, movies.size))
    data = Dataset(users.size, movies.size, *rows, triples, seed=seed)
    fitted = MF(
        k=config.factors,
        max_iter=config.epochs,
        learning_rate=config.learning_rate,
        lambda_reg=config.regularisation,
        use_bias=True,
        num_threads=1,
        seed=seed,
    ).fit(data)
    by_user = np.lexsort((movie, user))
    return FactorModel(
        mean=float(target.mean(dtype=np.float64)),
        users=users.astype(np.int64),
        movies=movies,
        user_bias=fitted.u_biases,
        movie_bias=fitted.i_biases,
        user_factors=fitted.u_factors,
        movie_factors=fitted.i_factors,
        viewers=np.bincount(movie, minlength=movies.size).astype(np.int32),
        seen_start=np.concatenate([[0], np.cumsum(np.bincount(user, minlength=users.size))]).astype(np.int64),
        seen=movie[by_user].astype(np.int32),
    )
