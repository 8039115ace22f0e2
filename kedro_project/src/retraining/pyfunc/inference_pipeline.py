"""Imported by versions that were registered before 0.2.0 and are an inference pipeline."""

from tracked_kedro.serving.inference_pipeline import InferencePipeline

__all__ = ["InferencePipeline"]
