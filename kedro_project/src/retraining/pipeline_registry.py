"""Registered pipelines: `kedro run` runs `__default__`, `kedro run --pipelines NAME` any other.

A package under `pipelines/` that offers `create_pipeline` is registered by its own name; the rest stands here.
"""

from importlib import import_module
from pkgutil import iter_modules
from traceback import extract_tb

from kedro.pipeline import Pipeline
from kedro.pipeline.pipeline import CircularDependencyError, OutputNotUniqueError

from retraining import pipelines
from retraining.pipelines.climate_brazil import pipeline as climate
from retraining.pipelines.movie_recommender import pipeline as movies

# What to do about errors that Kedro and Python name well.
_REMEDIES = {
    CircularDependencyError: "let one of these nodes read or make another dataset",
    OutputNotUniqueError: "give one of these nodes another output",
    ImportError: "correct the import, or declare the library in pyproject.toml and run `make lock` and `make setup`",
}


class PipelineError(ValueError):
    """A package under `pipelines/` makes no pipeline; the message names its file, line and the remedy."""


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name.

    Raises:
        PipelineError: a package under `pipelines/` makes none.
    """
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
    made = {entry.name: _created(entry.name) for entry in iter_modules(pipelines.__path__)}
    return {name: pipeline for name, pipeline in made.items() if pipeline is not None}


def _created(name: str) -> Pipeline | None:
    """The pipeline of a package; None where it offers none.

    Raises:
        PipelineError: the package cannot be imported, or its `create_pipeline` makes no pipeline.
    """
    try:
        package = import_module(f"{pipelines.__name__}.{name}")
        if not hasattr(package, "create_pipeline"):
            return None
        made = package.create_pipeline()
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
        remedy = next((text for kind, text in _REMEDIES.items() if isinstance(error, kind)), "correct it there")
        raise PipelineError(f"{_place(name, error)}: {said}; {remedy}") from error
    if not isinstance(made, Pipeline):
        raise PipelineError(
            f"{_place(name)}: create_pipeline returned {type(made).__name__}; it must return a Kedro pipeline"
        )
    return made


def _place(name: str, error: BaseException | None = None) -> str:
    """The package's file and line in which an error arose; else the package."""
    frames = [(frame.filename, frame.lineno) for frame in extract_tb(error.__traceback__)] if error else []
    if isinstance(error, SyntaxError):
        frames.append((error.filename or "", error.lineno))
    package = f"pipelines/{name}"
    own = [(file, line) for file, line in frames if f"/{package}/" in file or file.endswith(f"/{package}.py")]
    if not own:
        return package
    file, line = own[-1]
    return f"pipelines/{file.rpartition('/pipelines/')[2]}, line {line}"
