"""Training finds taste that is there, and always the same."""

import numpy as np
import polars as pl
import pytest

from retraining.pipelines.movie_recommender.recommender.config import FactorisationConfig
from retraining.pipelines.movie_recommender.recommender.factors import FactorModel
from retraining.pipelines.movie_recommender.recommender.training import train

CONFIG = FactorisationConfig(factors=4, epochs=60, learning_rate=0.02, regularisation=0.02)


@pytest.fixture(scope="module")
def pairs() -> pl.DataFrame:
    """Two groups of users and movies: a group likes its own movies (5), not the other's (1); a quarter is shown."""
    random = np.random.default_rng(0)
    user, movie = (grid.ravel() for grid in np.meshgrid(np.arange(80), np.arange(40), indexing="ij"))
    shown = random.uniform(size=user.size) < 0.25
    liking = np.where(user % 2 == movie % 2, 5.0, 1.0)
    names = np.array([f"m{one:02d}" for one in range(40)])
    return pl.DataFrame({"user": 100 + user[shown], "movie": names[movie[shown]], "target": liking[shown]})


@pytest.fixture(scope="module")
def model(pairs: pl.DataFrame) -> FactorModel:
    return train(pairs, CONFIG, seed=3)


def test_taste_is_found(model: FactorModel) -> None:
    own = model.predict(np.arange(80), np.arange(80) % 2)
    other = model.predict(np.arange(80), 1 - np.arange(80) % 2)
    assert own.mean() > 4.5
    assert other.mean() < 1.5


def test_recommended_are_unseen_movies_of_the_own_group(model: FactorModel, pairs: pl.DataFrame) -> None:
    seen = set(pairs.filter(pl.col("user") == 101)["movie"])
    named = [movie for movie, _ in model.recommend(101, 5)]
    assert not seen & set(named)
    assert all(int(movie[1:]) % 2 == 1 for movie in named)


def test_the_model_knows_who_saw_what(model: FactorModel, pairs: pl.DataFrame) -> None:
    for row, user in enumerate(model.users):
        assert set(model.movies[model.seen_by(row)]) == set(pairs.filter(pl.col("user") == user)["movie"])
    counts = dict(pairs.group_by("movie").len().iter_rows())
    assert model.viewers.tolist() == [counts[movie] for movie in model.movies]
    assert model.mean == pytest.approx(pairs["target"].mean())


def test_the_same_seed_gives_the_same_model_bit_by_bit(pairs: pl.DataFrame, model: FactorModel) -> None:
    again, other = train(pairs, CONFIG, seed=3), train(pairs, CONFIG, seed=4)
    for name in ("user_factors", "movie_factors", "user_bias", "movie_bias"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    assert not np.array_equal(other.user_factors, model.user_factors)
