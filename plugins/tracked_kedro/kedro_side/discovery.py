"""What the packages under a project's `pipelines` offer: found by name, listed nowhere.

Of a package `<project>.pipelines.<name>`:

* `create_pipeline()` in its `pipeline.py` (or in the package, as Kedro has it): registered as `<name>`.
* `PARTS` in its `pipeline.py`, functions by name: registered as `<name>.<part>`.
* `UNTRACKED` there: parts that leave no run behind.
* `DEFAULT = True` there: what `kedro run` without a name runs. A lone pipeline needs no mark.
* `PARAMETERS` in its `parameters.py`: the model that its block of parameters is checked with.
* `RESOLVERS` in its `resolvers.py`: OmegaConf resolvers for its configuration.
* `warm_up()` in its `warm_up.py`: called once by the process that forks tasks.
* `served_model.py`: how its registered model answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from traceback import extract_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

#: Between a pipeline's name and that of a part; no package's name has it.
SEPARATOR = "."


class PipelineError(ValueError):
    """A package under `pipelines/` makes no pipeline; the message names its file, line and the remedy."""


def pipelines_of(root: str) -> dict[str, Pipeline]:
    """Every pipeline of a project and its parts, by the name under which it is registered.

    Args:
        root: dotted name of the package that holds one package a pipeline, `my_project.pipelines`.

    Raises:
        PipelineError: a package makes none, or two claim to be the default.

    >>> sorted(pipelines_of("lettings.pipelines"))  # doctest: +SKIP
    ['__default__', 'rents', 'rents.reading']
    """
    from kedro.pipeline import pipeline

    found: dict[str, Pipeline] = {}
    for name in names(root):
        create = _creator(root, name)
        if create is None:
            continue
        found[name] = _made(name, "create_pipeline", create)
        for part, make in getattr(_module(root, name, "pipeline"), "PARTS", {}).items():
            found[f"{name}{SEPARATOR}{part}"] = _made(name, part, make)
    default = default_pipeline(root)
    return {**found, "__default__": found[default] if default else pipeline([])}


def default_pipeline(root: str) -> str | None:
    """Name of the pipeline that `kedro run` without a name runs, None where none is.

    Raises:
        PipelineError: two claim to be it.
    """
    whole = [name for name in names(root) if _creator(root, name) is not None]
    marked = [name for name in whole if getattr(_module(root, name, "pipeline"), "DEFAULT", False)]
    if len(marked) > 1:
        raise PipelineError(
            f"pipelines {' and '.join(marked)} both say DEFAULT = True; only one can be what `kedro run` runs"
        )
    return next(iter(marked), whole[0] if len(whole) == 1 else None)


def untracked(root: str) -> list[str]:
    """Registered names of the parts that leave no run behind."""
    return [
        f"{name}{SEPARATOR}{part}"
        for name in names(root)
        for part in getattr(_module(root, name, "pipeline"), "UNTRACKED", ())
    ]


def resolvers(root: str) -> dict[str, Callable[..., Any]]:
    """OmegaConf resolvers of all pipelines.

    Raises:
        PipelineError: two pipelines define one name.
    """
    found: dict[str, Callable[..., Any]] = {}
    owners: dict[str, str] = {}
    for name in names(root):
        for key, function in getattr(_module(root, name, "resolvers"), "RESOLVERS", {}).items():
            if key in owners:
                raise PipelineError(f"pipelines {owners[key]} and {name} both define the resolver {key}; rename one")
            owners[key], found[key] = name, function
    return found


def parameters_model(root: str, name: str) -> Any | None:
    """The model that a pipeline declares for its block of parameters, None where it declares none."""
    module = _module(root, name, "parameters") if name.isidentifier() else None
    return getattr(module, "PARAMETERS", None)


def warm_ups(root: str) -> Iterator[Callable[[], None]]:
    """What each pipeline wants to have used once before tasks are forked."""
    for name in names(root):
        if module := _module(root, name, "warm_up"):
            yield module.warm_up


def names(root: str) -> list[str]:
    """Names of the packages and modules under `root`, in alphabetical order."""
    return sorted(entry.name for entry in iter_modules(import_module(root).__path__))


def _module(root: str, name: str, module: str) -> ModuleType | None:
    """`<root>.<name>.<module>`, None where there is none."""
    package = f"{root}.{name}"
    try:
        found = find_spec(package)
        if found is None or not found.submodule_search_locations or find_spec(f"{package}.{module}") is None:
            return None
        return import_module(f"{package}.{module}")
    except Exception as error:
        raise _explained(name, error) from error


def _creator(root: str, name: str) -> Callable[[], Pipeline] | None:
    try:
        package = import_module(f"{root}.{name}")
    except Exception as error:
        raise _explained(name, error) from error
    if hasattr(package, "create_pipeline"):
        return package.create_pipeline
    return getattr(_module(root, name, "pipeline"), "create_pipeline", None)


def _made(name: str, what: str, create: Callable[[], Pipeline]) -> Pipeline:
    from kedro.pipeline import Pipeline

    try:
        made = create()
    except Exception as error:
        raise _explained(name, error) from error
    if not isinstance(made, Pipeline):
        raise PipelineError(f"{_place(name)}: {what} returned {type(made).__name__}; it must return a Kedro pipeline")
    return made


def _explained(name: str, error: Exception) -> PipelineError:
    from kedro.pipeline.pipeline import CircularDependencyError, OutputNotUniqueError

    remedies = {
        CircularDependencyError: "let one of these nodes read or make another dataset",
        OutputNotUniqueError: "give one of these nodes another output",
        ImportError: "correct the import, or declare the library in pyproject.toml: `make lock`, then `make setup`",
    }
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
    remedy = next((remedy for kind, remedy in remedies.items() if isinstance(error, kind)), "correct it there")
    return PipelineError(f"{_place(name, error)}: {text}; {remedy}")


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
