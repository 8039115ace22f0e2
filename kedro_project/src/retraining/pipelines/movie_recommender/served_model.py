"""The registered model of movie_recommender: lists of movies for users.

MLflow runs this file when it loads the model: code, not a pickle.
"""

from __future__ import annotations

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, ParamSchema, Schema
from pydantic import BaseModel, Field

#: What has to be installed where the model answers.
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pydantic")
PARAMS = ParamSchema([])
OUTPUTS = Schema(
    [
        ColSpec(DataType.long, "user"),
        ColSpec(DataType.integer, "rank"),
        ColSpec(DataType.string, "movie"),
        ColSpec(DataType.double, "liking"),
        ColSpec(DataType.string, "list"),
    ]
)
FACTORS = "model.npz"


class RecommendationRequest(BaseModel):
    """One record of the input: a user by id, and how many movies (1 to 1,000)."""

    user: int
    n: int = Field(20, ge=1, le=1000)


class RecommenderModel(PythonModel):
    """Names the movies that a user will like most among those not seen yet."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the factors, with the code that the model brought along."""
        from retraining.pipelines.movie_recommender.recommender.factors import FactorModel

        self.factors = FactorModel.load(context.artifacts[FACTORS])

    def recommend(self, user: int, n: int = 20) -> pd.DataFrame:
        """The n best movies for one user; an unknown user gets the popular list.

        Returns:
            Columns user, rank (from 1), movie, liking (expected, 1 to 5), list ("own" or "popular").
        """
        found = self.factors.recommend(user, n)
        return pd.DataFrame(
            {
                "user": pd.Series([user] * len(found), dtype="int64"),
                "rank": pd.Series(range(1, len(found) + 1), dtype="int32"),
                "movie": [movie for movie, _ in found],
                "liking": [liking for _, liking in found],
                "list": "own" if self.factors.knows(user) else "popular",
            }
        )

    def rows(self, record: Any) -> int:
        """How many rows a record of a request is answered with, for the server's limit."""
        return RecommendationRequest.model_validate(record).n

    # MLflow takes the input's schema from the type hint, and calls a `predict` without a context as well.
    def predict(  # type: ignore[override]
        self, model_input: list[RecommendationRequest], params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Recommend to each user of the input, in its order; see `recommend`."""
        return pd.concat([self.recommend(request.user, request.n) for request in model_input], ignore_index=True)


mlflow.models.set_model(RecommenderModel())
