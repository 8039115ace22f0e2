"""`retraining.recommender.factors`, as far as a version registered before 0.2.0 asks for it."""

from retraining.pipelines.movie_recommender.recommender.factors import FactorModel

__all__ = ["FactorModel"]
