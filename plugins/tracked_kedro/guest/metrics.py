"""Numbers of a dataset that `track.metrics` names: plain ones, nested ones, a table of one row."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

from tracked_kedro.errors import PermanentError

_NOT_IN_A_NAME = re.compile(r"[^\w\-. /]")


def numbers(dataset: str, value: Any) -> dict[str, float]:
    """Metrics by name.

    Args:
        dataset: its name, which a number without one takes.
        value: a number, a mapping of them that may be nested, a table of one row, or any of these as JSON text.

    Raises:
        PermanentError: something in it is no number.

    >>> numbers("scores", {"r2": 0.9, "cv": {"mean": 0.8}})
    {'r2': 0.9, 'cv.mean': 0.8}
    """
    found = dict(_numbers(dataset, "", _as_mapping(dataset, value)))
    if not found:
        raise PermanentError(f"track.metrics: dataset {dataset} holds no number")
    return found


def _numbers(dataset: str, name: str, value: Any) -> Iterator[tuple[str, float]]:
    value = value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value
    if isinstance(value, Mapping):
        # What kedro-mlflow's own datasets take for one number of a history.
        if set(value) == {"value", "step"}:
            value = value["value"]
        else:
            for key, inner in value.items():
                yield from _numbers(dataset, f"{name}.{key}" if name else str(key), inner)
            return
    if not isinstance(value, Real):
        place = f"{dataset}: {name}" if name else dataset
        raise PermanentError(
            f"track.metrics: dataset {place} is a {type(value).__name__}, no number; let the node return numbers only, "
            "or name the dataset under track.artifacts"
        )
    yield _NOT_IN_A_NAME.sub("_", name or dataset), float(value) if not math.isnan(value) else math.nan


def _as_mapping(dataset: str, value: Any) -> Any:
    if isinstance(value, (str, bytes)):
        try:
            return json.loads(value)
        except ValueError:
            raise PermanentError(f"track.metrics: dataset {dataset} is text that is no JSON") from None
    if hasattr(value, "columns") and hasattr(value, "shape"):
        if value.shape[0] != 1:
            raise PermanentError(
                f"track.metrics: dataset {dataset} is a table of {value.shape[0]} rows; one row of numbers is a metric "
                "each, a longer table is an artifact (track.artifacts)"
            )
        return {str(column): next(iter(value[column])) for column in value.columns}
    return value.to_dict() if hasattr(value, "to_dict") else value
