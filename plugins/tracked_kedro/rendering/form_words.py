"""What a pipeline's `PARAMETERS` say about a field, in the words of JSON schema that a trigger form takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

_WORDS = (
    "type",
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
)
_NULL = {"type": "null"}


def has_field(model: type[BaseModel] | None, path: Sequence[str]) -> bool:
    """Whether a model, or one inside it, declares the field at a path."""
    return model is not None and bool(_field(_schema(model), path))


def form_words(model: type[BaseModel] | None, path: Sequence[str]) -> dict[str, Any]:
    """Default, type and bounds of the field at a path; nothing where no model declares it, or a form cannot say it.

    >>> from typing import Annotated
    >>> from pydantic import Field, create_model
    >>> rents = create_model("Rents", share=(Annotated[float, Field(gt=0, le=0.5)], 0.2))
    >>> form_words(rents, ["share"])
    {'default': 0.2, 'type': 'number', 'maximum': 0.5, 'exclusiveMinimum': 0}
    """
    schema = _schema(model) if model is not None else {}
    field = _field(schema, path)
    default = {"default": field["default"]} if "default" in field else {}
    kinds = [_resolved(kind, schema) for kind in field.get("anyOf", [field])]
    [only, *others] = [kind for kind in kinds if kind != _NULL] or [{}]
    if others:
        return default
    words = {word: only[word] for word in _WORDS if word in only}
    if "const" in only:
        words["enum"] = [only["const"]]
    if "items" in words:
        items = _resolved(words["items"], schema)
        words["items"] = {word: items[word] for word in ("type", "enum") if word in items}
    if _NULL in kinds and "type" in words:
        words["type"] = ["null", words["type"]]
        if "enum" in words:
            words["enum"] = [*words["enum"], None]
    return {**default, **words}


def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        return {}


def _field(schema: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    found = schema
    for part in path:
        # A field may hold a model or nothing.
        kinds = [_resolved(kind, schema) for kind in found.get("anyOf", [found])]
        found = next((kind["properties"][part] for kind in kinds if part in kind.get("properties", {})), {})
    default = {"default": found["default"]} if "default" in found else {}
    return {**_resolved(found, schema), **default}


def _resolved(kind: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = kind.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if isinstance(reference, str) else kind
