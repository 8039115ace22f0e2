"""Dataset that registers this run's version: its files first, then the version."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import fsspec
import mlflow
from kedro.framework import project
from kedro.io import AbstractDataset, DatasetError
from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from tracked_kedro.kedro_side.run_facts import git_tags
from tracked_kedro.names import MODEL_VERSION_TAG
from tracked_kedro.promotion.evidence import EVIDENCE_FILE, Candidate
from tracked_kedro.promotion.registry import Registry
from tracked_kedro.serving.packaging import model_digest, write_model
from tracked_kedro.serving.signing import is_ours, signed

log = logging.getLogger(__name__)

# Tags of the parent run that its version repeats, so that each can be found from the other.
_RUN_TAGS = ("airflow.dag_id", "airflow.dag_run_id", "simulated")


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
            DatasetError: the run keeps its artifacts where no version is loaded from.
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
        evidence = data.evidence.model_dump_json(indent=1)
        package = f"{project.PACKAGE_NAME}.pipelines.{self._pipeline}"
        digest = model_digest(package, {**data.files, EVIDENCE_FILE: evidence.encode()})
        registry = Registry(self._model)
        source = f"{run.info.artifact_uri}/model/{digest}"
        if not is_ours(source):
            raise DatasetError(
                f"{self._model}: this run keeps its artifacts outside this deployment's, where no version is loaded "
                "from; have the operator list their place in MODEL_LOCATIONS"
            )
        signature: dict[str, str] = {}
        known = [int(version.version) for version in registry.of_run(run.info.run_id) if version.source == source]
        # Of a task that is done again: what somebody has done to the version since is mended.
        if not known or not all(registry.is_whole(number) for number in known):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name) / "model"
                write_model(package, data.files, folder)
                (folder / EVIDENCE_FILE).write_text(evidence)
                signature = signed(self._model, folder)
                get_artifact_repository(source).log_artifacts(str(folder))
            for number in known:
                log.warning("%s version %d was changed or lost files; it is made again", self._model, number)
        about = {"cutoff": data.evidence.cutoff, "data_digest": data.evidence.data_digest}
        dated = {key: str(value) for key, value in about.items() if value is not None}
        from_run = {key: run.data.tags[key] for key in _RUN_TAGS if key in run.data.tags}
        number = registry.register(
            source, run.info.run_id, digest, {**git_tags(), **from_run, **dated, **data.evidence.tags, **signature}
        )
        mlflow.set_tags({MODEL_VERSION_TAG: f"{registry.model}/{number}"})
        return number

    def load(self) -> dict[str, Any]:
        """What was registered."""
        with fsspec.open(self._filepath) as file:
            return json.load(file)

    def _exists(self) -> bool:
        filesystem, path = fsspec.core.url_to_fs(self._filepath)
        return bool(filesystem.exists(path))

    def _describe(self) -> dict[str, Any]:
        return {"pipeline": self._pipeline, "model": self._model, "filepath": self._filepath}
