"""Checks a `pod_override` of airflow.yml against Kubernetes' own description of a pod."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any


def problems(pod: dict[str, Any]) -> Iterator[str]:
    """Keys that a pod does not have, by path; a cluster would pass over them in silence."""
    if pod:
        yield from _unknown("V1Pod", pod, "")


def _unknown(kind: str, value: Any, path: str) -> Iterator[str]:
    if listed := re.fullmatch(r"list\[(.*)\]", kind):
        if not isinstance(value, list):
            yield f"{path} = {value!r}: a list is expected"
            return
        for number, one in enumerate(value):
            yield from _unknown(listed.group(1), one, f"{path}.{number}")
        return
    from kubernetes.client import models

    model = getattr(models, kind, None)
    if model is None:  # a string, a number, a mapping of them
        return
    if not isinstance(value, dict):
        yield f"{path} = {value!r}: a mapping is expected"
        return
    kinds = {outside: model.openapi_types[inside] for inside, outside in model.attribute_map.items()}
    for key, inner in value.items():
        place = f"{path}.{key}".lstrip(".")
        if key not in kinds:
            yield f"{place}: unknown key; allowed here: {', '.join(sorted(kinds))}"
        else:
            yield from _unknown(kinds[key], inner, place)
