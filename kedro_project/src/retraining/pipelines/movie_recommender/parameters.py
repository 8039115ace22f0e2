"""Parameters of the movie_recommender pipeline: what its `parameters.yml` may say."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from retraining.pipelines.movie_recommender.recommender.config import FactorisationConfig
from tracked_kedro.kedro_side.parameters import FirstOfMonth, Parameters
from tracked_kedro.promotion.rules import CHAMPION, Promotion, Rule

#: What a version must show; conf says why.
RULES = (
    Rule(metric="rmse", direction="lower", reference="rmse_global_mean"),
    Rule(metric="rmse", direction="lower", reference="rmse_item_bias", tolerance=0.03),
    Rule(metric="ndcg_at_20", direction="higher", reference="ndcg_at_20_popularity", tolerance=0.05),
    Rule(metric="rmse", direction="lower", reference=CHAMPION, tolerance=0.05),
    Rule(metric="ndcg_at_20", direction="higher", reference=CHAMPION, tolerance=0.1),
)


class MovieRecommender(Parameters):
    """Parameters of the pipeline `movie_recommender`; strict, for nodes receive numbers as they are written."""

    movies: str | None = None
    runtimes: str | None = None
    cutoff: FirstOfMonth | None = None
    history_start: FirstOfMonth | None = None
    max_reject_share: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.05
    default_runtime: Annotated[float, Field(strict=True, gt=0, le=1440)] = 100.0
    test_size: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.2
    random_state: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 20241201
    model: FactorisationConfig = FactorisationConfig()
    ranked_users: Annotated[int, Field(strict=True, ge=1)] = 10_000
    top_n: Annotated[int, Field(strict=True, ge=1, le=1000)] = 20
    promotion: Promotion = Promotion(rules=RULES)
    tags: dict[str, str] = Field(default_factory=dict)


#: What `tracked_kedro.kedro_side.parameters` checks the block of this pipeline with.
PARAMETERS = MovieRecommender
