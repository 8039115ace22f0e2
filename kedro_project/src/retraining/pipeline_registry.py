"""Registered pipelines: `kedro run` runs `__default__`, `kedro run --pipelines NAME` any other."""

from kedro.pipeline import Pipeline

from tracked_kedro.kedro_side.discovery import pipelines_of


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name, and its parts as `<pipeline>.<part>`."""
    return pipelines_of("retraining.pipelines")
