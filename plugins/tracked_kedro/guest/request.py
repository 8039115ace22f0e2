"""What is asked of a hosted project's process, as JSON, and what it answers. Standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: Folder, in that of the run's data, with what `track.model` stores: the model and what is known of it.
MODEL_FOLDER = "_model"
#: Folder of a run's artifacts that says which files of the project it has read: a JSON file for each dataset.
INPUTS = "inputs"


@dataclass(frozen=True)
class Request:
    """One call of a hosted project.

    Attributes:
        command: "describe", "run" or "answer".
        project: its folder.
        result: file that the answer is written to.
        pipeline: one of its registered pipelines.
        environment: of Kedro; None is the project's own default.
        data: folder or address of this DAG run's data; of "answer", the model's folder.
        shared: leave every path as the catalog has it.
        runtime_params: Kedro's.
        nodes: to be run.
        xcom: dataset among their outputs whose value is answered.
        run_id: the parent run; None runs untracked.
        track: the block's `track`.
        answers: descriptor that "answer" writes to.
    """

    command: str
    project: str
    result: str
    pipeline: str = "__default__"
    environment: str | None = None
    data: str = ""
    shared: bool = False
    runtime_params: dict[str, Any] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    xcom: str | None = None
    run_id: str | None = None
    track: dict[str, Any] = field(default_factory=dict)
    answers: int = 0

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def of_line(cls, line: str) -> Request:
        """What `line` has written."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class Failure:
    """Why a call failed.

    Attributes:
        kind: "permanent", "unavailable" or "other", as `tracked_kedro.errors` tells them apart.
        message: for a person; the traceback is in the log.
    """

    kind: str
    message: str


@dataclass(frozen=True)
class Answer:
    """What a call has made: a value that JSON can hold, or a failure."""

    value: Any = None
    failure: Failure | None = None

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(asdict(self), default=str))
        beside.replace(path)

    @classmethod
    def read(cls, path: Path) -> Answer | None:
        """What was written; None where the process has ended without a word."""
        if not path.is_file():
            return None
        content = json.loads(path.read_text())
        failure = content["failure"]
        return cls(content["value"], Failure(**failure) if failure else None)
