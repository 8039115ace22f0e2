"""Pages of the reference, made from what they describe: typed models, files of variables, the Makefile, the library."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from tracked_kedro.environment import VARIABLES
from tracked_kedro.rendering import blocks
from tracked_kedro.serving.limits import Limits

ROOT = Path(__file__).resolve().parents[2]

#: Modules of the library that a project calls, in the order of the page; their public names are listed.
PUBLIC = (
    "tracked_kedro.promotion.pipeline",
    "tracked_kedro.promotion.evidence",
    "tracked_kedro.child_runs.record",
    "tracked_kedro.child_runs.datasets",
    "tracked_kedro.child_runs.keys",
    "tracked_kedro.kedro_side.artifacts",
    "tracked_kedro.kedro_side.partitions",
    "tracked_kedro.kedro_side.run_facts",
    "tracked_kedro.kedro_side.raw_inputs",
    "tracked_kedro.kedro_side.parameters",
    "tracked_kedro.kedro_side.discovery",
    "tracked_kedro.kedro_side.locations",
    "tracked_kedro.month",
    "tracked_kedro.errors",
)


class UndocumentedError(ValueError):
    """A field has no line in its model's docstring; the message names both."""


def pages() -> dict[str, str]:
    """Text of each page of the reference, by file name."""
    return {
        "reference-airflow-yml.md": airflow_yml(),
        "reference-environment.md": environment(),
        "reference-commands.md": commands(),
        "reference-python.md": python(),
    }


def airflow_yml() -> str:
    """Every key of a DAG's block, from the models that read it.

    Raises:
        UndocumentedError: a key is described nowhere.
    """
    models = [
        (name, model)
        for name, model in vars(blocks).items()
        if inspect.isclass(model)
        and issubclass(model, BaseModel)
        and not name.startswith("_")
        and model is not BaseModel
    ]
    models.sort(key=lambda found: found[0] != "Block")
    text = [
        "# Keys of airflow.yml",
        "A pipeline's block stands in `conf/base/<pipeline>/airflow.yml`; `conf/base/airflow.yml` has the defaults of "
        "all. A key that is not listed here is refused by name.",
    ]
    for name, model in models:
        about = described(model)
        text.append(f"## {'A DAG’s block' if name == 'Block' else name}")
        text.append(_first_paragraph(model))
        rows = [
            (f"`{key}`", _type(field.annotation), _default(field), about[key])
            for key, field in model.model_fields.items()
        ]
        text.append(_table(("key", "type", "default", "meaning"), rows))
    return "\n\n".join(text) + "\n"


def environment() -> str:
    """Every variable: the library's, the limits of the server, and those of the two files."""
    ours = [(f"`{one.name}`", one.default, one.meaning, one.read_by) for one in VARIABLES]
    about = described(Limits)
    limits = [(f"`SERVING_MAX_{one.name.upper()}`", f"`{one.default}`", about[one.name]) for one in fields(Limits)]
    return "\n\n".join(
        [
            "# Environment variables",
            "## Of the library",
            _table(("variable", "where it is not set", "meaning", "read by"), ours),
            "## Of the server for predictions",
            _table(("variable", "default", "meaning"), limits),
            "## Of the containers (.env)",
            _table(("variable", "default", "meaning"), _variables(ROOT / ".env.example")),
            "## Of every process (defaults.env)",
            _table(("variable", "value", "meaning"), _variables(ROOT / "defaults.env")),
            "",
        ]
    )


def commands() -> str:
    """Every target of the Makefile with its help."""
    text = ["# Commands"]
    for heading, body in re.findall(r"^##@ (.*?)$(.*?)(?=^##@|\Z)", (ROOT / "Makefile").read_text(), re.M | re.S):
        found = re.findall(r"^([a-z-]+):.*?## (.*)$", body, re.M)
        text += [f"## {heading}", _table(("command", "does"), [(f"`make {name}`", help) for name, help in found])]
    return "\n\n".join(text) + "\n"


def python() -> str:
    """The library's public names, of which the site shows the docstrings."""
    intro = "What a project imports from `tracked_kedro`. Names that begin with an underscore are the library's own."
    return "\n\n".join(["# The library", intro, *(f"::: {name}" for name in PUBLIC)]) + "\n"


def described(model: type[Any]) -> dict[str, str]:
    """What the section `Attributes` of a model's docstring says of each field.

    Raises:
        UndocumentedError: it says nothing of one.
    """
    section = re.search(r"^Attributes:\n(.*?)(?=^\S|\Z)", inspect.cleandoc(model.__doc__ or ""), re.M | re.S)
    found = dict(re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", section.group(1) if section else "", re.M | re.S))
    names = model.model_fields if issubclass(model, BaseModel) else [one.name for one in fields(model)]
    if missing := [name for name in names if name not in found]:
        raise UndocumentedError(f"{model.__module__}.{model.__name__} says nothing of {', '.join(missing)}")
    return {name: " ".join(found[name].split()) for name in names}


def _variables(file: Path) -> list[tuple[str, str, str]]:
    """Name, value and the comment above it, of a file of variables; a comment holds until an empty line."""
    rows: list[tuple[str, str, str]] = []
    comment: list[str] = []
    fresh = True
    for line in file.read_text().splitlines():
        if line.startswith("#"):
            comment = [*([] if fresh else comment), line.removeprefix("#").strip()]
            fresh = False
        elif "=" in line:
            name, _, value = line.partition("=")
            rows.append((f"`{name}`", f"`{value}`" if value else "", " ".join(comment)))
            fresh = True
        else:
            comment, fresh = [], True
    return rows


def _first_paragraph(model: type[Any]) -> str:
    return " ".join(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].split())


def _type(annotation: Any) -> str:
    """A type in words."""
    words = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
        type(None): "none",
        Any: "any value",
    }
    if annotation in words:
        return words[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_type(one) for one in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping: {_type(arguments[0])} → {_type(arguments[1])}"
    return f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def _default(field: Any) -> str:
    if field.is_required():
        return "needed"
    return "none" if field.default is None else f"`{field.default}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = [list(head), *(list(row) for row in rows)]
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text.replace("\n", " "))
