"""The trained recommender as arrays: predictions, ranked movies, a file without pickle. NumPy only, for it is served.

    liking of user u for movie m  =  mean + b_u + b_m + p_u · q_m          (Koren, Bell & Volinsky 2009)

Whoever the model does not know has neither b_u nor p_u; a movie it does not know, neither b_m nor q_m.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

FORMAT = 1


@dataclass(frozen=True)
class FactorModel:
    """Biases and factors of U users and M movies, and what each user has seen.

    Attributes:
        mean: mean liking, 1 to 5.
        users: shape (U,), ids in ascending order.
        movies: shape (M,), ids in ascending order, text.
        user_bias, movie_bias: shapes (U,), (M,).
        user_factors, movie_factors: shapes (U, k), (M, k).
        viewers: shape (M,), how many users watched or rated each movie; the popular list is ordered by it.
        seen_start, seen: shapes (U + 1,), (pairs,): user i has seen the movies `seen[seen_start[i]:seen_start[i + 1]]`.
    """

    mean: float
    users: NDArray[np.int64]
    movies: NDArray[np.str_]
    user_bias: NDArray[np.float32]
    movie_bias: NDArray[np.float32]
    user_factors: NDArray[np.float32]
    movie_factors: NDArray[np.float32]
    viewers: NDArray[np.int32]
    seen_start: NDArray[np.int64]
    seen: NDArray[np.int32]

    def user_index(self, users: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each user id, -1 where the model does not know it."""
        return _index(self.users, users)

    def movie_index(self, movies: NDArray[np.str_]) -> NDArray[np.int64]:
        """Row of each movie id, -1 where the model does not know it."""
        return _index(self.movies, movies)

    def predict(self, user: NDArray[np.int64], movie: NDArray[np.int64]) -> NDArray[np.float32]:
        """Likings of pairs of rows, clipped to 1–5; row -1 is somebody or something unknown."""
        known_user, known_movie = user >= 0, movie >= 0
        liking = self.mean + known_user * self.user_bias[user] + known_movie * self.movie_bias[movie]
        both = known_user & known_movie
        liking[both] += np.einsum("ij,ij->i", self.user_factors[user[both]], self.movie_factors[movie[both]])
        return np.clip(liking, 1.0, 5.0)

    def scores(self, user: NDArray[np.int64]) -> NDArray[np.float32]:
        """Shape (users, M): likings of every movie for known users (rows), not clipped, so that the order is kept."""
        return (
            self.mean
            + self.user_bias[user, None]
            + self.movie_bias[None, :]
            + self.user_factors[user] @ self.movie_factors.T
        )

    def seen_by(self, user: int) -> NDArray[np.int32]:
        """Rows of the movies that a user (row) has watched or rated."""
        return self.seen[self.seen_start[user] : self.seen_start[user + 1]]

    def popular(self) -> NDArray[np.int64]:
        """Rows of all movies, most viewers first; equal ones in the order of their ids."""
        return np.argsort(-self.viewers, kind="stable")

    def knows(self, user: int) -> bool:
        """Whether the user (id) was there in training."""
        return bool(self.user_index(np.array([user]))[0] >= 0)

    def recommend(self, user: int, n: int) -> list[tuple[str, float]]:
        """The n movies a user will like most among those not seen yet, with the liking expected, 1 to 5.

        Args:
            user: id; an unknown one gets the popular list.
            n: how many; fewer come where fewer are left.
        """
        row = int(self.user_index(np.array([user]))[0])
        if row < 0:
            best = self.popular()[:n]
        else:
            scores = self.scores(np.array([row]))
            scores[0, self.seen_by(row)] = -np.inf
            best = best_of(scores, n)[0]
            best = best[np.isfinite(scores[0, best])]
        likings = self.predict(np.full(best.size, row), best)
        return [(str(self.movies[movie]), float(liking)) for movie, liking in zip(best, likings, strict=True)]

    def to_bytes(self) -> bytes:
        """A compressed `.npz` of plain arrays: the same bytes for the same model."""
        content = io.BytesIO()
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez_compressed(content, format=np.int64(FORMAT), **arrays)
        return content.getvalue()

    @classmethod
    def load(cls, file: Path | str | BinaryIO) -> FactorModel:
        """Read what `to_bytes` made; nothing in the file is executed.

        Raises:
            ValueError: the file is no model of this format.
        """
        with np.load(file, allow_pickle=False) as arrays:
            if int(arrays.get("format", -1)) != FORMAT:
                raise ValueError(f"this is not a factor model of format {FORMAT}; train it again")
            values = {field.name: arrays[field.name] for field in fields(cls)}
            return cls(**{**values, "mean": float(values["mean"])})


def best_of(scores: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Columns of the n highest scores in each row, highest first; of equal ones the first column."""
    n = min(n, scores.shape[1])
    if n < scores.shape[1]:
        chosen = np.sort(np.argpartition(-scores, n - 1, axis=1)[:, :n], axis=1)
    else:
        chosen = np.broadcast_to(np.arange(n), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)


def _index(known: NDArray, wanted: NDArray) -> NDArray[np.int64]:
    if known.size == 0:
        return np.full(wanted.shape, -1)
    at = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    return np.where(known[at] == wanted, at, -1)
