"""Registered pipelines: `kedro run` runs `__default__`, `kedro run --pipelines NAME` any other.

A package under `pipelines/` that offers `create_pipeline` is registered by its own name; the rest stands here.
"""

from importlib import import_module
from pkgutil import iter_modules

from kedro.pipeline import Pipeline

from retraining import pipelines
from retraining.pipelines.climate_brazil import pipeline as climate
from retraining.pipelines.movie_recommender import pipeline as movies


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name."""
    return {
        **_found(),
        "climate_brazil_cutoff": climate.cutoff(),
        "movie_recommender_cutoff": movies.cutoff(),
        "refresh": climate.refresh(),
        "data_processing": climate.data_processing(),
        "train": climate.train(),
        "forecast": climate.forecast(),
        "climate_brazil": climate.climate_brazil(),
        "__default__": climate.climate_brazil(),
    }


def _found() -> dict[str, Pipeline]:
    # Not Kedro's find_pipelines: it warns of every package that is no pipeline, and with raise_errors stops there.
    names = [entry.name for entry in iter_modules(pipelines.__path__)]
    packages = {name: import_module(f"{pipelines.__name__}.{name}") for name in names}
    return {name: found.create_pipeline() for name, found in packages.items() if hasattr(found, "create_pipeline")}
