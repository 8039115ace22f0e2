"""From events to one row per user and movie, and to what is learnt."""

from datetime import datetime

import polars as pl
import pytest

from retraining.pipelines.movie_recommender.recommender.pairs import RUNTIMES, aggregate, usual_runtime, with_targets
from retraining.pipelines.movie_recommender.stream.parsing import EVENTS


def events(*rows: tuple[int, str, int | None, int | None]) -> pl.LazyFrame:
    return pl.LazyFrame([(datetime(2024, 1, 1), *row) for row in rows], schema=EVENTS, orient="row")


def runtimes(**minutes: float) -> pl.DataFrame:
    return pl.DataFrame(list(minutes.items()), schema=RUNTIMES, orient="row")


def test_minutes_are_distinct_and_ratings_are_averaged() -> None:
    table = aggregate(
        events(
            (2, "b", 5, None),
            (2, "b", 5, None),
            (2, "b", 6, None),
            (2, "b", None, 2),
            (2, "b", None, 3),
            (1, "a", None, 4),
        )
    )
    assert table.columns == ["user", "movie", "minutes_watched", "n_ratings", "rating"]
    assert table.rows() == [(1, "a", 0, 1, 4.0), (2, "b", 2, 2, 2.5)]


def test_the_target_is_the_rating_or_else_the_share_watched() -> None:
    watched = [(1, "a", minute, None) for minute in range(50)]
    table = with_targets(aggregate(events(*watched, (2, "a", None, 2), (2, "a", 9, None))), runtimes(a=100.0), 90.0)
    assert table["share_watched"].to_list() == [0.5, 0.01]
    assert table["target"].to_list() == [3.0, 2.0]


def test_the_share_watched_is_clipped() -> None:
    watched = [(1, "a", minute, None) for minute in range(120)]
    table = with_targets(aggregate(events(*watched)), runtimes(a=100.0), 90.0)
    assert (table["share_watched"].item(), table["target"].item()) == (1.0, 5.0)


def test_an_unknown_runtime_is_the_median_of_the_known_ones() -> None:
    known = runtimes(a=80.0, b=100.0, c=200.0, d=0.0)
    assert usual_runtime(known, 90.0) == 100.0
    table = with_targets(aggregate(events((1, "x", 1, None), (1, "d", 1, None), (1, "a", 1, None))), known, 90.0)
    assert table.select("movie", "runtime_minutes", "runtime_known").rows() == [
        ("a", 80.0, True),
        ("d", 100.0, False),
        ("x", 100.0, False),
    ]


@pytest.mark.parametrize("known", [runtimes(), runtimes(a=0.0)])
def test_without_any_runtime_the_parameter_stands_in(known: pl.DataFrame) -> None:
    table = with_targets(aggregate(events((1, "x", 1, None))), known, 90.0)
    assert table.select("runtime_minutes", "runtime_known").row(0) == (90.0, False)
