"""The parameters of the recommender are checked by name before work starts."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from retraining.pipelines.movie_recommender.parameters import MovieRecommender
from tracked_kedro.kedro_side.parameter_check import check_parameters
from tracked_kedro.kedro_side.parameters import ParameterError

CONF = Path(__file__).resolve().parents[3] / "kedro_project" / "conf" / "base"


def test_the_defaults_of_the_model_are_the_shipped_values() -> None:
    shipped = yaml.safe_load((CONF / "movie_recommender" / "parameters.yml").read_text())["movie_recommender"]
    # Addresses come from globals.yml, tags are a deployment's own.
    given = MovieRecommender.model_validate({**shipped, "movies": None, "runtimes": None, "tags": {}})
    assert given == MovieRecommender()


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"test_size": 0.0}, "movie_recommender.test_size = 0.0: Input should be greater than 0"),
        ({"test_size": "0.2"}, "movie_recommender.test_size = '0.2': Input should be a valid number"),
        (
            {"max_reject_share": 1.5},
            "movie_recommender.max_reject_share = 1.5: Input should be less than or equal to 1",
        ),
        ({"random_state": -1}, "movie_recommender.random_state = -1: Input should be greater than or equal to 0"),
        ({"cutoff": "2024-12-05"}, "2024-12-05 is not the first day of a month; write 2024-12-01"),
        ({"history_start": 3}, "movie_recommender.history_start = 3: write it as YYYY-MM-01"),
        ({"top_n": 0}, "movie_recommender.top_n = 0: Input should be greater than or equal to 1"),
        ({"model": {"factors": 0}}, "movie_recommender.model.factors = 0: Input should be greater than or equal to 1"),
        ({"model": {"faktors": 3}}, "movie_recommender.model.faktors: unknown key; allowed here: epochs, factors"),
        ({"topn": 3}, "movie_recommender.topn: unknown key; allowed here:"),
    ],
)
def test_an_impossible_value_is_named(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        check_parameters({"movie_recommender": block}, "retraining.pipelines")
    assert message in str(caught.value)
