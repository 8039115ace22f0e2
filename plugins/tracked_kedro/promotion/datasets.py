"""Datasets between the pipeline `promotion` and the model registry. Only these and the commands move aliases."""

from __future__ import annotations

import getpass
import json
import logging
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import mlflow
from kedro.framework import project
from kedro.io import AbstractDataset, DatasetError
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from tracked_kedro.kedro_side.run_facts import git_tags
from tracked_kedro.names import MODEL_VERSION_TAG
from tracked_kedro.promotion.evidence import Candidate, Evidence, Version
from tracked_kedro.promotion.moves import CHAMPION
from tracked_kedro.promotion.registry import Registry, RegistryError, parse_reference
from tracked_kedro.serving.packaging import model_digest, write_model
from tracked_kedro.serving.signing import GoneVersionError, TrustedFiles, UntrustedVersionError, is_ours, signed

log = logging.getLogger(__name__)

EVIDENCE_FILE = "evidence.json"
#: Tag of the parent run: what became of the version that it registered.
PROMOTION_TAG = "promotion"
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
        if not any(version.source == source for version in registry.of_run(run.info.run_id)):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name) / "model"
                write_model(package, data.files, folder)
                (folder / EVIDENCE_FILE).write_text(evidence)
                signature = signed(self._model, folder)
                get_artifact_repository(source).log_artifacts(str(folder))
        about = {"cutoff": data.evidence.cutoff, "data_digest": data.evidence.data_digest}
        known = {key: str(value) for key, value in about.items() if value is not None}
        from_run = {key: run.data.tags[key] for key in _RUN_TAGS if key in run.data.tags}
        number = registry.register(
            source, run.info.run_id, digest, {**git_tags(), **from_run, **known, **data.evidence.tags, **signature}
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


class MlflowChampionDataset(AbstractDataset[None, Version | None]):
    """The version that is served now; None where there is none, its files are gone, or tracking is off."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._logging_activated = True

    def load(self) -> Version | None:
        """Read what is known of the champion: three requests, and one for each file asked for later."""
        if not self._logging_activated or mlflow.active_run() is None:
            return None
        registry = Registry(self._model)
        number = registry.aliases().get(CHAMPION)
        return None if number is None else _there(registry, number)

    def save(self, data: None) -> None:
        """The champion is read; `promote` moves it."""
        raise NotImplementedError("the champion is read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"model": self._model}


def read_version(version: ModelVersion) -> Version:
    """A version with its evidence.

    Raises:
        UntrustedVersionError: it is not this deployment's own.
    """
    # `register` writes no version without a run; MLflow's types allow for it.
    assert version.run_id is not None
    files = TrustedFiles(version)
    evidence = Evidence.model_validate_json(files.read(EVIDENCE_FILE))
    return Version(
        model=version.name,
        number=int(version.version),
        run_id=version.run_id,
        evidence=evidence,
        file=lambda name: files.read(f"artifacts/{name}"),
    )


class MlflowVersionDataset(AbstractDataset[None, Version]):
    """A version of a registered model by reference: `rents` (its champion), `rents/7`."""

    def __init__(self, reference: str) -> None:
        self._model, self._version = parse_reference(reference)
        self._logging_activated = True

    def load(self) -> Version:
        """Read it.

        Raises:
            DatasetError: tracking is off, there is no such version, or it is not this deployment's own.
        """
        if not self._logging_activated:
            raise DatasetError(f"use_mlflow is false, and {self._model} is kept by the tracking server: switch it on")
        try:
            return read_version(Registry(self._model).version(self._version))
        except (RegistryError, UntrustedVersionError) as error:
            raise DatasetError(str(error)) from error

    def save(self, data: None) -> None:
        """Versions are made by `register`."""
        raise NotImplementedError("versions are read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"model": self._model, "version": self._version}


class MlflowChampionsDataset(AbstractDataset[None, dict[int, Callable[[], Version | None]]]):
    """Every version that ever was champion, by number, each read when it is called for; None where it is gone."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._logging_activated = True

    def load(self) -> dict[int, Callable[[], Version | None]]:
        """One request, and two for each version that is read."""
        if not self._logging_activated or mlflow.active_run() is None:
            return {}
        registry = Registry(self._model)
        return {number: partial(_there, registry, number) for number in registry.champions()}

    def save(self, data: None) -> None:
        """The champions are read; `promote` makes them."""
        raise NotImplementedError("champions are read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"model": self._model}


def _there(registry: Registry, number: int) -> Version | None:
    """A version; None, with a warning, where a person has deleted it or its files."""
    try:
        return read_version(registry.version(number))
    except (RegistryError, GoneVersionError) as error:
        log.warning("Passed over: %s", error)
        return None


class MlflowPromotionDataset(AbstractDataset[dict[str, Any], None]):
    """Carries out what `promote` has ordered."""

    def __init__(self) -> None:
        self._logging_activated = True

    def save(self, data: dict[str, Any]) -> None:
        """Move the alias `champion`, where that is the order."""
        if not self._logging_activated or mlflow.active_run() is None:
            return
        if data["promote"]:
            by = data["by"] or getpass.getuser()
            Registry(data["model"]).promote(data["version"], data["champion"], by, data["why"])
        mlflow.set_tag(PROMOTION_TAG, f"{'promoted' if data['promote'] else 'not promoted'}: {data['why']}")

    def load(self) -> None:
        """An order is carried out, never read."""
        raise NotImplementedError("a promotion is carried out, never read")

    def _describe(self) -> dict[str, Any]:
        return {}
