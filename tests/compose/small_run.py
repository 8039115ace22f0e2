"""Which DAG the containers run, and how small."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SmallRun:
    """A DAG run that is over within minutes; `tests/pipelines/<dag>/small_run.json` says what its pipeline knows of it.

    Attributes:
        dag: the DAG.
        conf: parameters of the DAG run.
        part: what `kedro run --pipelines` is asked for.
        children: child runs that it leaves.
        model: the registered model whose champion it makes; None where the pipeline keeps none.
        inputs: a question for that model, rows of its inputs.
        answers: rows of the answer.
        rising: columns of the answer, whose values rise from one to the next in each row.
    """

    dag: str
    part: str
    conf: dict[str, Any] = field(default_factory=dict)
    children: int = 0
    model: str | None = None
    inputs: list[dict[str, Any]] = field(default_factory=list)
    answers: int = 0
    rising: list[str] = field(default_factory=list)


def small_run() -> SmallRun:
    """That of the DAG that `make test-compose` names; a pipeline that says nothing is run as it comes."""
    dag = os.environ["DAG"]
    file = ROOT / "tests" / "pipelines" / dag / "small_run.json"
    said = json.loads(file.read_text()) if file.exists() else {}
    return SmallRun(**{"dag": dag, "part": dag, **said})
