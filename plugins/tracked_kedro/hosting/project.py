"""A hosted project as its block in airflow.yml names it: where it lies, and which Python runs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracked_kedro.errors import PermanentError
from tracked_kedro.kedro_side.locations import project_path, var_folder

#: The key of a block that makes it one of a hosted project.
PROJECT = "project"
_OWN = "own"


@dataclass(frozen=True)
class HostedProject:
    """One hosted pipeline, as a generated DAG holds it.

    Attributes:
        name: of the block, and of the DAG.
        project: the project's folder, a relative one seen from the deployment's.
        pipeline: one of its registered pipelines.
        environment: "shared" (this deployment's Python) or "own" (built by `make environments`).
        env: Kedro's environment; None takes the deployment's where the project has it.
        data: "run" puts what nodes make into a folder of the DAG run, "shared" leaves the catalog's paths.
        variables: names of environment variables that its process gets besides.
        track: what is logged, see `rendering.hosted_blocks.Track`.
    """

    name: str
    project: str
    pipeline: str = "__default__"
    environment: str = "shared"
    env: str | None = None
    data: str = "run"
    variables: tuple[str, ...] = ()
    track: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The project's folder, absolute."""
        return (deployment() / self.project).resolve()

    @property
    def environment_folder(self) -> Path:
        """Where its own environment is, whether or not it was built."""
        return environments() / self.name

    @property
    def command(self) -> str:
        """How a person runs the same pipeline by hand, in the project's folder."""
        return f"kedro run --pipelines={self.pipeline}{f' --env={self.env}' if self.env else ''}"

    @property
    def python(self) -> Path:
        """The interpreter that runs it.

        Raises:
            PermanentError: its own environment was not built.
        """
        if self.environment != _OWN:
            return Path(sys.executable)
        found = self.environment_folder / "bin" / "python"
        if not found.exists():
            raise PermanentError(f"{self.name} has no environment of its own yet: make environments NAME={self.name}")
        return found


def is_hosted(block: Any) -> bool:
    """Whether a block of airflow.yml is about a hosted project."""
    return isinstance(block, Mapping) and PROJECT in block


def deployment() -> Path:
    """The folder from which blocks name projects: that of the Makefile."""
    return project_path().absolute().parent


def environments() -> Path:
    """Folder of all environments that belong to hosted projects."""
    return Path(os.environ.get("RETRAINING_ENVIRONMENTS") or var_folder() / "environments")
