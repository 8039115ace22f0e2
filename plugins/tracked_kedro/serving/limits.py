"""How much one request to the server may ask for, and whether it does: decided before the model is called."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from typing import Any

FORMATS = ("inputs", "instances", "dataframe_records", "dataframe_split")
# What a record of a model counts as that does not say how many rows it is answered with.
UNCOUNTED = 1000


class RefusedError(ValueError):
    """A request is not carried out; `status` is HTTP's, the message names the limit."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """Upper bounds of one request, each from the environment variable `SERVING_MAX_<NAME>`.

    Attributes:
        body: bytes.
        depth: of JSON's lists and objects in each other.
        records: entries of the input.
        values: entries of a list among the parameters, such as `quantiles`.
        rows: of the answer, as far as the model tells (`rows` of its class).
        at_once: requests that are answered at the same time, large ones one after the other; as many again wait.
    """

    body: int = 1_000_000
    depth: int = 16
    records: int = 1_000
    values: int = 20
    rows: int = 5_000
    at_once: int = 8

    @classmethod
    def of_environment(cls) -> Limits:
        """The defaults, and what the environment says instead.

        Raises:
            ValueError: a variable is no positive whole number.
        """
        found = {}
        for one in fields(cls):
            name = f"SERVING_MAX_{one.name.upper()}"
            if text := os.environ.get(name):
                if not (text.isascii() and text.isdecimal() and int(text) > 0):
                    raise ValueError(f"{name}={text}: a whole number above 0 is needed")
                found[one.name] = int(text)
        return cls(**found)


def rows_asked_for(body: bytes, model: Any, limits: Limits) -> int:
    """How many rows a request will be answered with.

    Args:
        body: JSON, as MLflow's scorer takes it.
        model: an MLflow pyfunc model; if its Python class has a method `rows(record)`, that counts the rows that one
            record of the input is answered with.
        limits: upper bounds.

    Raises:
        RefusedError: it is no such JSON, has a parameter that the model does not know, or asks for too much.
    """
    asked = _parsed(body, limits)
    if unknown := sorted(set(asked) - {*FORMATS, "params"}):
        raise RefusedError(400, f"unknown field {unknown[0]!r:.50}; known are {', '.join((*FORMATS, 'params'))}")
    given = [name for name in FORMATS if name in asked]
    if len(given) != 1:
        raise RefusedError(400, f"exactly one of {', '.join(FORMATS)} is needed")
    _check_params(asked.get("params"), model, limits)
    data = asked[given[0]]
    number = _number(given[0], data)
    if number > limits.records:
        raise RefusedError(400, f"there are more than {limits.records} records (SERVING_MAX_RECORDS)")
    count = getattr(_python_model(model), "rows", None)
    counted = count is not None and isinstance(data, list)
    rows = sum(_counted(count, record) for record in data) if counted else UNCOUNTED * number
    if rows > limits.rows:
        told = "" if counted else f"; this model does not count its rows, so that a record is taken for {UNCOUNTED}"
        raise RefusedError(400, f"the answer would have more than {limits.rows} rows (SERVING_MAX_ROWS){told}")
    return rows


def _parsed(body: bytes, limits: Limits) -> dict[str, Any]:
    too_deep = RefusedError(400, f"JSON is nested more than {limits.depth} deep (SERVING_MAX_DEPTH)")
    try:
        asked = json.loads(body)
    except RecursionError as error:
        raise too_deep from error
    # Numbers of thousands of digits and text that is not UTF-8 are such errors, too.
    except ValueError as error:
        raise RefusedError(400, "the body is no JSON") from error
    level, depth = [asked], 0
    while level := [one for value in level if isinstance(value, dict | list) for one in _inside(value)]:
        depth += 1
        if depth > limits.depth:
            raise too_deep
    if not isinstance(asked, dict):
        raise RefusedError(400, f"the body is no JSON object with one of {', '.join(FORMATS)}")
    return asked


def _inside(value: dict[str, Any] | list[Any]) -> Any:
    return value.values() if isinstance(value, dict) else value


def _check_params(params: Any, model: Any, limits: Limits) -> None:
    schema = model.metadata.get_params_schema()
    known = sorted(one.name for one in schema.params) if schema else []
    if params is None:
        return
    if not isinstance(params, dict):
        raise RefusedError(400, "params is no JSON object")
    for name, value in params.items():
        if name not in known:
            raise RefusedError(400, f"unknown parameter {name!r:.50}; known are: {', '.join(known) or 'none'}")
        if isinstance(value, list) and len(value) > limits.values:
            raise RefusedError(400, f"{name} has more than {limits.values} values (SERVING_MAX_VALUES)")


def _number(form: str, data: Any) -> int:
    """Records of an input: a list of them, or an object of columns."""
    if isinstance(data, dict):
        lists = [data.get("data")] if form == "dataframe_split" else data.values()
        return max((len(one) if isinstance(one, list) else 1 for one in lists), default=0)
    return len(data) if isinstance(data, list) else 1


def _python_model(model: Any) -> Any:
    try:
        return model.unwrap_python_model()
    # MLflow's own flavours have none, and each says so in another way.
    except Exception:  # noqa: BLE001
        return None


def _counted(count: Any, record: Any) -> int:
    try:
        return max(1, int(count(record)))
    # A record that the model cannot read. It will say so in its own words, or not.
    except Exception:  # noqa: BLE001
        return UNCOUNTED
