"""Dataset that registers this run's version: its files first, then the version."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import Any

import fsspec
import mlflow
from kedro.framework import project
from kedro.io import AbstractDataset
from mlflow.entities import Run

from tracked_kedro.kedro_side.run_facts import git_tags
from tracked_kedro.promotion.evidence import EVIDENCE_FILE, Candidate
from tracked_kedro.promotion.versions import evidence_text, make_version
from tracked_kedro.serving.packaging import model_digest, write_model

log = logging.getLogger(__name__)


class MlflowChallengerDataset(AbstractDataset[Candidate, dict[str, Any]]):
    """The version that this run registers, loaded as {"model", "version", "reason"}.

    Args:
        pipeline: name of the Kedro pipeline; its package says how the model answers.
        model: name of its registered model.
        filepath: JSON file that keeps what was registered for the tasks that follow.
    """

    def __init__(self, pipeline: str, model: str, filepath: str) -> None:
        self._pipeline, self._model, self._filepath = pipeline, model, filepath
        self._logging_activated = True

    def save(self, data: Candidate) -> None:
        """Upload the model's files to the run, then make the version; nothing of an incomplete run or without one.

        Raises:
            RegistryError: the run keeps its artifacts where no version is loaded from.
        """
        run = mlflow.active_run() if self._logging_activated else None
        reason = "tracking is off" if run is None else data.evidence.incomplete
        registered: dict[str, Any] = {"model": self._model, "version": None, "reason": reason}
        if run is not None and reason is None:
            registered["version"] = self._register(run, data)
        else:
            log.info("No version of %s is registered: %s", registered["model"], reason)
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        filesystem.makedirs(filesystem._parent(path), exist_ok=True)
        with filesystem.open(path, "w") as file:
            json.dump(registered, file)

    def _register(self, run: Run, data: Candidate) -> int:
        package = f"{project.PACKAGE_NAME}.pipelines.{self._pipeline}"
        digest = model_digest(package, {**data.files, EVIDENCE_FILE: evidence_text(data.evidence).encode()})
        write = partial(write_model, package, data.files)
        return make_version(self._model, run, digest, write, data.evidence, git_tags())

    def load(self) -> dict[str, Any]:
        """What was registered."""
        with fsspec.open(self._filepath) as file:
            return json.load(file)

    def _exists(self) -> bool:
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        return bool(filesystem.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"pipeline": self._pipeline, "model": self._model, "filepath": self._filepath}
