"""What the model has to beat: three recommenders that know nobody's taste, fitted on the training part alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Pairs at the mean that each movie's own mean is averaged with, so that one rating of 5 makes no favourite.
DAMPING = 5.0


class Baseline(NamedTuple):
    """A recommender that is the same for everybody.

    Attributes:
        unknown: liking of a movie it does not know.
        liking: shape (M,), liking of each movie, 1 to 5.
        order: shape (M,), rows of the movies, best first.
    """

    unknown: float
    liking: NDArray[np.float64]
    order: NDArray[np.int64]

    def predict(self, movie: NDArray[np.int64]) -> NDArray[np.float64]:
        """Likings of movies (rows); -1 is an unknown one."""
        return np.where(movie >= 0, self.liking[movie], self.unknown)


def baselines(movie: NDArray[np.int64], target: NDArray[np.float64], n_movies: int, seed: int) -> dict[str, Baseline]:
    """The baselines by name.

    Args:
        movie: shape (pairs,), row of each training pair's movie.
        target: shape (pairs,), its liking, 1 to 5.
        n_movies: number of rows.
        seed: of the order among equals; for the global mean that is the whole order.
    """
    mean = float(target.mean())
    count = np.bincount(movie, minlength=n_movies)
    item = mean + np.bincount(movie, weights=target - mean, minlength=n_movies) / (count + DAMPING)
    # Popularity has no scale of its own: a straight line in the logarithm of the viewers turns it into a liking.
    fame = np.log(np.maximum(count, 1))
    slope, level = np.polyfit(fame[movie], target, 1) if np.ptp(fame[movie]) > 0 else (0.0, mean)
    chance = np.random.RandomState(seed).permutation(n_movies)
    return {
        "global_mean": Baseline(mean, np.full(n_movies, mean), np.argsort(chance)),
        "item_bias": Baseline(mean, item, np.lexsort((chance, -item))),
        "popularity": Baseline(mean, np.clip(level + slope * fame, 1, 5), np.lexsort((chance, -count))),
    }
