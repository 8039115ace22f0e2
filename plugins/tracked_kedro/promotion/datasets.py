"""Datasets of versions that are registered already: read, and `promote`'s order, which moves the alias."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import mlflow
from kedro.io import AbstractDataset, DatasetError
from mlflow.entities.model_registry import ModelVersion

from tracked_kedro.names import PROMOTION_TAG, SIMULATED_TAG
from tracked_kedro.promotion.evidence import EVIDENCE_FILE, Evidence, Version
from tracked_kedro.promotion.moves import CHAMPION
from tracked_kedro.promotion.registry import Registry, RegistryError, parse_reference
from tracked_kedro.serving.signing import GoneVersionError, TrustedFiles, UntrustedVersionError

log = logging.getLogger(__name__)


class MlflowChampionDataset(AbstractDataset[None, Version | None]):
    """The version that is served now; None where there is none, its files are gone, or tracking is off.

    Where there was one, a warning says that the run is judged as a first one.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._logging_activated = True

    def load(self) -> Version | None:
        """Read what is known of the champion: three requests, and one for each file asked for later.

        Raises:
            DatasetError: it is not this deployment's own.
        """
        if not self._logging_activated or mlflow.active_run() is None:
            return None
        registry = Registry(self._model)
        number = registry.aliases().get(CHAMPION)
        if number is None:
            if moves := registry.history():
                last = moves[-1].version
                log.warning("%s has no champion any more (version %d was): judged as a first one", self._model, last)
            return None
        try:
            return _there(registry, number)
        except UntrustedVersionError as error:
            raise DatasetError(
                f"{error}; or put another version in its place: make rollback TO=<version> (make models lists them)"
            ) from error

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
    if "simulated" not in evidence.model_fields_set:
        # Made before 0.2.0, when only a tag said so.
        evidence = evidence.model_copy(update={"simulated": version.tags.get(SIMULATED_TAG) == "true"})
    return Version(
        model=version.name,
        number=int(version.version),
        run_id=version.run_id,
        evidence=evidence,
        file=lambda name: files.read(f"artifacts/{name}"),
        names=frozenset(path.removeprefix("artifacts/") for path in files.paths if path.startswith("artifacts/")),
    )


class MlflowVersionDataset(AbstractDataset[None, Version]):
    """A version of a registered model by reference: `rents` (its champion), `rents/7`."""

    def __init__(self, reference: str) -> None:
        self._model, self._version = parse_reference(reference)
        self._logging_activated = True

    def check(self) -> None:
        """Ask the registry for it, before a run begins that would read it.

        Raises:
            RegistryError: there is no such version.
        """
        if self._logging_activated:
            Registry(self._model).version(self._version)

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
            registry = Registry(data["model"])
            try:
                registry.promote(data["version"], data["champion"], by, data["why"], data.get("decided", ""))
            except RegistryError as error:
                if registry.is_whole(data["version"]):
                    raise
                raise DatasetError(f"{error}; clear the task register, which makes it again") from error
        mlflow.set_tag(PROMOTION_TAG, f"{'promoted' if data['promote'] else 'not promoted'}: {data['why']}")

    def load(self) -> None:
        """An order is carried out, never read."""
        raise NotImplementedError("a promotion is carried out, never read")

    def _describe(self) -> dict[str, Any]:
        return {}
