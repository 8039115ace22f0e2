"""Registered pipelines: `kedro run` runs `__default__`, `kedro run --pipelines NAME` any other."""

from kedro.pipeline import Pipeline

from retraining.pipelines.climate_brazil import pipeline as climate


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name."""
    return {
        "climate_brazil_cutoff": climate.cutoff(),
        "refresh": climate.refresh(),
        "data_processing": climate.data_processing(),
        "train": climate.train(),
        "forecast": climate.forecast(),
        "climate_brazil": climate.climate_brazil(),
        "__default__": climate.climate_brazil(),
    }
