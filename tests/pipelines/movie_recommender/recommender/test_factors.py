"""The model as arrays: predictions, lists, and the file."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from retraining.pipelines.movie_recommender.recommender.factors import FactorModel, best_of


@pytest.fixture
def model() -> FactorModel:
    """Two users, three movies; user 10 has seen b, user 20 has seen a and b."""
    return FactorModel(
        mean=3.0,
        users=np.array([10, 20]),
        movies=np.array(["a", "b", "c"]),
        user_bias=np.array([0.5, -0.5], dtype=np.float32),
        movie_bias=np.array([0.0, 1.0, -1.0], dtype=np.float32),
        user_factors=np.array([[1.0, 0.0], [0.0, 2.0]], dtype=np.float32),
        movie_factors=np.array([[0.25, 0.0], [0.0, 1.0], [0.5, 0.5]], dtype=np.float32),
        viewers=np.array([1, 2, 0], dtype=np.int32),
        seen_start=np.array([0, 1, 3]),
        seen=np.array([1, 0, 1], dtype=np.int32),
    )


def test_prediction_is_the_sum_of_what_is_known_clipped_to_the_scale(model: FactorModel) -> None:
    user = model.user_index(np.array([10, 10, 20, 99, 99, 20]))
    movie = model.movie_index(np.array(["a", "c", "b", "b", "zz", "zz"]))
    assert user.tolist() == [0, 0, 1, -1, -1, 1]
    assert movie.tolist() == [0, 2, 1, 1, -1, -1]
    # The third would be 3 - 0.5 + 1 + 2 = 5.5.
    assert model.predict(user, movie).tolist() == pytest.approx([3.75, 3.0, 5.0, 4.0, 3.0, 2.5])


def test_seen_movies_are_not_recommended(model: FactorModel) -> None:
    assert model.recommend(10, 5) == [("a", pytest.approx(3.75)), ("c", pytest.approx(3.0))]
    assert model.recommend(10, 1) == [("a", pytest.approx(3.75))]
    assert model.recommend(20, 5) == [("c", pytest.approx(2.5))]


def test_an_unknown_user_gets_the_popular_list(model: FactorModel) -> None:
    assert model.recommend(99, 2) == [("b", pytest.approx(4.0)), ("a", pytest.approx(3.0))]
    assert [movie for movie, _ in model.recommend(-1, 9)] == ["b", "a", "c"]


def test_the_file_gives_the_same_model_back(model: FactorModel, tmp_path: Path) -> None:
    (tmp_path / "model.npz").write_bytes(model.to_bytes())
    again = FactorModel.load(tmp_path / "model.npz")
    assert again.to_bytes() == model.to_bytes()
    assert again.recommend(10, 5) == model.recommend(10, 5)
    assert isinstance(again.mean, float)
    for name in ("users", "movies", "user_factors", "seen"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))


def test_no_array_of_the_file_is_a_pickle(model: FactorModel) -> None:
    with zipfile.ZipFile(io.BytesIO(model.to_bytes())) as archive:
        for name in archive.namelist():
            assert not np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False).dtype.hasobject


def test_another_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(2))
    with pytest.raises(ValueError, match="not a factor model of format 1"):
        FactorModel.load(tmp_path / "other.npz")


def test_best_of_orders_ties_by_column() -> None:
    scores = np.array([[1, 3, 3, 2, 0], [0, 0, 0, 0, 0]], dtype=np.float32)
    assert best_of(scores, 3).tolist() == [[1, 2, 3], [0, 1, 2]]
    assert best_of(scores, 9).tolist() == [[1, 2, 3, 0, 4], [0, 1, 2, 3, 4]]
