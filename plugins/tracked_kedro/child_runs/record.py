"""What a pipeline keeps of one key of a mapped namespace: plain data, so that nodes know no MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class ChildRecord:
    """All that is kept of one key in one run.

    Attributes:
        label: name of the child run.
        fingerprint: hash of data, parameters and code; equal fingerprints mean equal results.
        failure: why there is no result, None where there is one.
        files: content of each file to keep, by its path among the child run's artifacts.
        model: what the catalog entry's `save_model` makes the files of a served model of, None for no model.
    """

    label: str
    status: Literal["FINISHED", "FAILED"]
    fingerprint: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    model: Any = None
