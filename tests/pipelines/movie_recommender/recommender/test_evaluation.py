"""Holding out without leaks, and scores that can be worked out by hand."""

import numpy as np
import polars as pl
import pytest

from retraining.pipelines.movie_recommender.recommender.baselines import DAMPING, baselines
from retraining.pipelines.movie_recommender.recommender.errors import TooFewPairsError
from retraining.pipelines.movie_recommender.recommender.evaluation import DEPTHS, evaluate, split
from retraining.pipelines.movie_recommender.recommender.factors import FactorModel


def pairs(n_users: int = 40, n_movies: int = 25) -> pl.DataFrame:
    user, movie = (grid.ravel() for grid in np.meshgrid(np.arange(n_users), np.arange(n_movies)))
    return pl.DataFrame({"user": user, "movie": [f"m{one:02d}" for one in movie], "target": 1.0 + movie % 5})


def test_a_pair_is_on_one_side_and_none_is_lost() -> None:
    whole = pairs()
    training, test = split(whole, 0.2, 1)
    assert (training.height, test.height) == (800, 200)
    assert training.join(test, on=["user", "movie"], how="semi").is_empty()
    assert pl.concat([training, test]).sort("user", "movie").equals(whole.sort("user", "movie"))


def test_the_split_depends_on_pairs_and_seed_and_not_on_the_order_of_rows() -> None:
    one, two = split(pairs(), 0.2, 1), split(pairs().sample(fraction=1, shuffle=True, seed=5), 0.2, 1)
    assert one[1].equals(two[1])
    assert not one[1].equals(split(pairs(), 0.2, 2)[1])


@pytest.mark.parametrize(("rows", "test_size"), [(19, 0.2), (30, 0.01), (30, 0.99)])
def test_too_few_pairs_are_refused(rows: int, test_size: float) -> None:
    with pytest.raises(TooFewPairsError, match=f"{rows} pairs of user and movie are too few"):
        split(pairs()[:rows], test_size, 1)


def test_baselines_by_hand() -> None:
    movie, target = np.array([0, 0, 1]), np.array([5.0, 4.0, 1.0])
    found = baselines(movie, target, 3, seed=0)
    mean = 10 / 3
    assert found["global_mean"].predict(np.array([0, 2, -1])) == pytest.approx([mean] * 3)
    item = mean + (9 - 2 * mean) / (2 + DAMPING)
    assert found["item_bias"].predict(np.array([0, 2, -1])) == pytest.approx([item, mean, mean])
    assert found["item_bias"].order.tolist() == [0, 2, 1]
    assert found["popularity"].order[0] == 0
    assert found["popularity"].order.tolist().index(1) == 1
    # Through (log 2, 4.5) twice and (log 1, 1).
    assert found["popularity"].predict(np.array([0, 1])) == pytest.approx([4.5, 1.0])
    assert sorted(found["global_mean"].order) == [0, 1, 2]


@pytest.fixture
def model() -> FactorModel:
    """Movies m0 … m59 liked the more the higher their number; user 1 has seen m59, user 2 nothing else than m00."""
    count = 60
    return FactorModel(
        mean=3.0,
        users=np.array([1, 2]),
        movies=np.array([f"m{one:02d}" for one in range(count)]),
        user_bias=np.zeros(2, dtype=np.float32),
        movie_bias=np.linspace(-1, 1, count, dtype=np.float32),
        user_factors=np.zeros((2, 1), dtype=np.float32),
        movie_factors=np.zeros((count, 1), dtype=np.float32),
        viewers=np.arange(count, 0, -1).astype(np.int32),  # the popular list runs the other way
        seen_start=np.array([0, 1, 2]),
        seen=np.array([59, 0], dtype=np.int32),
    )


def table(*rows: tuple[int, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"user": pl.Int64, "movie": pl.String, "target": pl.Float64}, orient="row")


def test_ranking_by_hand(model: FactorModel) -> None:
    training = table((1, "m59", 5.0), (2, "m00", 2.0))
    # User 1: m58 is first of the unseen, m30 far behind; the disliked m57 does not count. User 2: its movie is unknown.
    # User 3 is unknown and gets the popular list: m01 is second on it.
    test = table((1, "m58", 5.0), (1, "m30", 4.0), (1, "m57", 1.0), (2, "new", 5.0), (3, "m01", 4.0))
    scores = evaluate(model, training, test, users=10, seed=0)
    assert scores["n_ranked_users"] == 3
    assert scores["share_ranked_users_new"] == pytest.approx(1 / 3)
    assert (scores["share_new_users"], scores["share_new_movies"]) == (pytest.approx(0.2), pytest.approx(0.2))
    recall, ndcg = (scores["models"]["model"][name] for name in ("recall", "ndcg"))
    assert set(recall) == set(ndcg) == set(DEPTHS)
    assert recall[1] == pytest.approx((1 / 2 + 0 + 0) / 3)
    assert recall[20] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert recall[50] == pytest.approx((1 + 0 + 1) / 3)
    assert ndcg[1] == pytest.approx((1 + 0 + 0) / 3)
    assert ndcg[20] == pytest.approx((1 / (1 + 1 / np.log2(3)) + 0 + 1 / np.log2(3)) / 3)
    liking = np.clip(3 + np.linspace(-1, 1, 60), 1, 5)
    errors = [liking[58] - 5, liking[30] - 4, liking[57] - 1, 3.0 - 5, liking[1] - 4]
    assert scores["models"]["model"]["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))))


def test_ranking_of_a_sample_of_users_is_the_same_each_time(model: FactorModel) -> None:
    training = table((1, "m59", 5.0), (2, "m00", 2.0))
    test = table(*((user, f"m{user % 60:02d}", 5.0) for user in range(3, 103)))
    first, second = (evaluate(model, training, test, users=30, seed=1) for _ in range(2))
    assert first == second
    assert first["n_ranked_users"] == 30


def test_without_a_liked_held_out_movie_ranking_is_zero(model: FactorModel) -> None:
    scores = evaluate(model, table((1, "m59", 5.0)), table((1, "m58", 2.0)), users=10, seed=0)
    assert scores["n_ranked_users"] == 0
    assert scores["models"]["popularity"]["recall"][20] == 0.0
