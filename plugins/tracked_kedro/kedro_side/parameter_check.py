"""Parameters are checked before work starts; each error names key, value and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tracked_kedro.kedro_side.discovery import parameters_model
from tracked_kedro.kedro_side.parameters import ParameterError, Parameters
from tracked_kedro.kedro_side.redaction import without_secrets
from tracked_kedro.names import APPROVAL, PIPELINE, RUN_KEY, SHARD, USE_MLFLOW

#: What a task hands over beside the parameters proper: its pipeline, whose data it reads, its share of the work, and
#: who approved a promotion.
RUNTIME = (PIPELINE, RUN_KEY, SHARD, APPROVAL)


def check_parameters(parameters: Mapping[str, object], root: str, read: Callable[[], Collection[str]] = tuple) -> None:
    """Check all parameters of a run.

    Args:
        parameters: as Kedro's configuration loader gives them.
        root: dotted name of the package that holds the pipelines; each may declare a model for its block.
        read: the top-level keys that some pipeline reads; asked only where a key has no model of its own.

    Raises:
        ParameterError: naming each key at fault, its value, and what is allowed.
    """
    problems = []
    use_mlflow = parameters.get(USE_MLFLOW, True)
    if not isinstance(use_mlflow, bool):
        problems.append(f"use_mlflow = {use_mlflow!r}: neither true nor false")
    models: dict[str, type[Parameters]] = {}
    others = []
    for name in sorted(parameters.keys() - {USE_MLFLOW, *RUNTIME}):
        if model := parameters_model(root, name):
            models[name] = model
        else:
            others.append(name)
    known = read() if others else ()
    for name in others:
        if name not in known:
            allowed = ", ".join(dict.fromkeys([USE_MLFLOW, *models, *sorted(known)]))
            problems.append(f"{name}: unknown key; allowed here: {allowed} (no pipeline reads params:{name})")
    for name, model in models.items():
        try:
            model.model_validate(parameters.get(name, {}))
        except ValidationError as error:
            problems += [_problem(name, model, detail) for detail in error.errors()]
    if problems:
        raise ParameterError("Parameters that cannot be used:\n" + "\n".join(f"  {p}" for p in problems))


def _problem(block: str, model: type[BaseModel], detail: ErrorDetails) -> str:
    key = ".".join([block, *(str(part) for part in detail["loc"])])
    if detail["type"] == "extra_forbidden":
        allowed = model
        for part in detail["loc"][:-1]:
            # A number is a place in a list; the model of its items is what the field holds.
            allowed = allowed if isinstance(part, int) else _model_of(allowed.model_fields[part].annotation)
        return f"{key}: unknown key; allowed here: {', '.join(sorted(allowed.model_fields))}"
    return without_secrets(f"{key} = {detail['input']!r}: {detail['msg'].removeprefix('Value error, ')}")


def _model_of(annotation: Any) -> type[BaseModel]:
    """The model that a field holds, alone or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_model_of(part) for part in get_args(annotation) if part is not ...)
