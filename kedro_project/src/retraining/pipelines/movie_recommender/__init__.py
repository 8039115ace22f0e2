"""Monthly retraining of the movie recommender from the stream of views and ratings."""

from retraining.pipelines.movie_recommender.pipeline import create_pipeline

__all__ = ["create_pipeline"]
