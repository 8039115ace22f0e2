"""Blocks of `airflow.yml` are read into their typed form; what cannot be read is named by its key, value and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tracked_kedro.kedro_side.redaction import without_secrets
from tracked_kedro.names import PROMOTION, REGISTERED_MODEL
from tracked_kedro.rendering.blocks import FILE, Block
from tracked_kedro.rendering.completion import MERGED


def read_blocks(
    airflow: Mapping[str, Any], joined: Mapping[str, Any], kind: type[Block] = Block
) -> tuple[dict[str, Any], list[str]]:
    """The blocks that can be read, and every problem of the others, each with its key, value and what is allowed.

    Args:
        airflow: content of `airflow.yml`, where problems are.
        joined: the blocks as `completion` completes them.
        kind: `Block`, or what extends it.
    """
    blocks: dict[str, Any] = {}
    problems: list[str] = []
    for name in sorted(joined):
        own = airflow[name]
        if not isinstance(own, Mapping):
            problems.append(f"{FILE}: {name} = {own!r}: not a block of settings; write them below it as `key: value`")
            continue
        try:
            blocks[name] = kind.model_validate(joined[name])
        except ValidationError as error:
            problems += [
                _problem(kind, name if _defines(own, detail["loc"]) else "default", name, detail)
                for detail in error.errors()
            ]
    return blocks, list(dict.fromkeys(problems))


def _defines(own: Mapping[str, Any], path: tuple[int | str, ...]) -> bool:
    """Whether a block itself defines what stands at a path, or takes it from the defaults."""
    key, *inner = path
    found: Any = own.get(str(key))
    for part in inner[:2] if key in MERGED else ():
        if not isinstance(found, Mapping):
            break
        if part not in found:
            return False
        found = found[part]
    return key in own


def _problem(kind: type[Block], where: str, block: str, detail: ErrorDetails) -> str:
    path, inner = [str(part) for part in detail["loc"]], _model_at(kind, detail["loc"][:-1])
    if detail["type"] == "missing":
        meaning = _meaning(inner, path[-1])
        return f"{FILE}: {'.'.join([block, *path])}: missing{meaning}"
    key = ".".join([where, *path])
    if path == [PROMOTION] and "model" in (detail["input"] or ()):
        return f"{FILE}: {key}: it is called {REGISTERED_MODEL} since 0.3.0, and its `model` is `name`; rename both"
    if detail["type"] == "extra_forbidden":
        return f"{FILE}: {key}: unknown key; allowed here: {', '.join(sorted(inner.model_fields))}"
    value = detail["input"].isoformat() if isinstance(detail["input"], date) else repr(detail["input"])
    return f"{FILE}: {key} = {without_secrets(value)}: {detail['msg'].removeprefix('Value error, ')}"


def _meaning(model: type[BaseModel], key: str) -> str:
    # A model's docstring explains its attributes, one line each.
    lines = [line.strip() for line in (model.__doc__ or "").splitlines()]
    descriptions = [line.removeprefix(f"{key}: ").rstrip(".") for line in lines if line.startswith(f"{key}: ")]
    return f"; name {descriptions[0]}" if descriptions else "; add it"


def _model_at(kind: Any, path: tuple[int | str, ...]) -> type[BaseModel]:
    """The model in which the last step of an error's path stands, beginning at that of a block."""
    for part in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[str(part)].annotation
        else:
            kind = get_args(kind)[-1]
        if get_origin(kind) in (Union, UnionType):
            kind = next(one for one in get_args(kind) if one is not type(None))
    return kind
