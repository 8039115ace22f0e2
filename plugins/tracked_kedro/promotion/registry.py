"""Versions of a registered model and the aliases that say which one is served.

Aliases: `challenger` is the newest version, `champion` the one that is served, `previous` the champion before it.
How `champion` is moved, and its history kept, is in `promotion.champion`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.tracking import MlflowClient

from tracked_kedro.parent_run.creates import created_once
from tracked_kedro.promotion.champion import (
    LEDGER_TAG,
    TRIES,
    Champion,
    ChampionChangedError,
    RegistryError,
    set_by_two,
)
from tracked_kedro.promotion.ledger import Ledger
from tracked_kedro.promotion.moves import CHAMPION, PREVIOUS, TAG_LENGTH, Event, later, registered_model
from tracked_kedro.promotion.rules import REFERENCE
from tracked_kedro.serving.signing import (
    FILES_TAG,
    SIGNATURE_TAG,
    GoneVersionError,
    SigningKeyError,
    TrustedFiles,
    UntrustedVersionError,
)

log = logging.getLogger(__name__)

CHALLENGER = "challenger"
DIGEST_TAG = "digest"
RUN_TAG = "parent_run_id"
_PROMOTED, _ROLLED_BACK = "promoted", "rolled back"


@dataclass(frozen=True)
class Registry:
    """One registered model of the tracking server that MLflow is set to."""

    model: str
    client: MlflowClient = field(default_factory=MlflowClient)

    @property
    def _champion(self) -> Champion:
        return Champion(self.client, self.model)

    def known(self) -> RegisteredModel | None:
        """The registered model with its aliases and history; None before its first version. One request."""
        return registered_model(self.client, self.model)

    def aliases(self) -> dict[str, int]:
        """Version by alias."""
        known = self.known()
        return {alias: int(version) for alias, version in known.aliases.items()} if known else {}

    def version(self, reference: str | int) -> ModelVersion:
        """A version by its number or by an alias.

        Raises:
            RegistryError: there is none.
        """
        text = str(reference)
        try:
            if text.isdecimal():
                return self.client.get_model_version(self.model, text)
            return self.client.get_model_version_by_alias(self.model, text)
        except MlflowException as error:
            if error.get_http_status_code() >= 500:
                raise  # no answer is no "there is none"
            aliases = self.aliases()
            has = ", ".join(f"{alias} (version {number})" for alias, number in sorted(aliases.items())) or "no version"
            remedy = "" if aliases else "; a complete `make retrain` registers one"
            raise RegistryError(f"{self.model} has no {_words(text)}; it has {has}{remedy}") from error

    def of_run(self, run_id: str) -> list[ModelVersion]:
        """Versions that a parent run has registered, the newest first."""
        found = self.client.search_model_versions(f"name = '{self.model}' AND run_id = '{run_id}'")
        return sorted(found, key=lambda version: int(version.version), reverse=True)

    def versions(self) -> list[ModelVersion]:
        """All versions, the newest first."""
        found = self.client.search_model_versions(f"name = '{self.model}'")
        return sorted(found, key=lambda version: int(version.version), reverse=True)

    def champions(self) -> list[int]:
        """Numbers of all versions that ever were champion, in order."""
        return sorted({event.version for event in self.history()})

    def history(self) -> list[Event]:
        """Every move of `champion`, the oldest first."""
        return self._champion.history()

    def register(self, source: str, run_id: str, digest: str, tags: Mapping[str, str]) -> int:
        """Make a version of files that are complete, and let `challenger` name it.

        The same files of the same run are registered once, however often this is called; where somebody has changed the
        version's signature, or files had to be made again, it gets the one that is given.

        Args:
            source: address of the model's folder.
            run_id: the parent run that made it.
            digest: hash of the files.
            tags: of the version; its signature is among them (see `serving.signing`), where its files are new.
        """
        number = self._only(run_id, source)
        if number is not None:
            for key in {FILES_TAG, SIGNATURE_TAG} & tags.keys():
                self.client.set_model_version_tag(self.model, str(number), key, tags[key])
        else:
            self._make()
            own = {RUN_TAG: run_id, DIGEST_TAG: digest, **tags}
            own = {key: value if key == FILES_TAG else value[:TAG_LENGTH] for key, value in own.items()}
            create = partial(self.client.create_model_version, self.model, source, run_id, tags=own)
            number = created_once(lambda: int(create().version), partial(self._only, run_id, source))
            log.info("Registered %s version %d", self.model, number)
        self._challenge(number)
        return number

    def _make(self) -> None:
        """The registered model with its ledger, where there is none: of two who make it, one does."""
        if self.known() is not None:
            return
        own = Ledger.found_or_made(self.client, self.model)
        while own.read().moves and self.known() is None:
            # Of a model of this name that was deleted: the numbers of versions begin anew.
            own.retire()
            own = Ledger.found_or_made(self.client, self.model)
        try:
            self.client.create_registered_model(self.model, tags={LEDGER_TAG: own.run_id})
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise

    def _challenge(self, number: int) -> None:
        """Let `challenger` name this version, or a newer one that came meanwhile."""
        while True:
            set_by_two(self.client.set_registered_model_alias, self.model, CHALLENGER, str(number))
            query, order = f"name = '{self.model}'", ["version_number DESC"]
            newest = self.client.search_model_versions(query, max_results=1, order_by=order)
            if not newest or int(newest[0].version) <= number:
                return
            number = int(newest[0].version)

    def _only(self, run_id: str, source: str) -> int | None:
        """The version of these files of this run; of twins the first, or those that ever were champion, stay."""
        same = [int(version.version) for version in self.of_run(run_id) if version.source == source]
        if len(same) > 1:
            kept = set(self.champions()) & set(same) or {min(same)}
            for twin in set(same) - kept:
                log.warning("%s version %d is a twin and is deleted", self.model, twin)
                self.client.delete_model_version(self.model, str(twin))
            same = sorted(kept)
        return same[0] if same else None

    def promote(self, number: int, expected: int | None, by: str, why: str, decided: str = "") -> bool:
        """Make a version champion and keep the old champion as `previous`; False where that is done already.

        Args:
            number: the version.
            expected: the champion it was judged against.
            by: who promotes it.
            why: the reason, for the version's tags and the history.
            decided: names the decision: a task that is tried again does not undo what happened since its first try.

        Raises:
            ChampionChangedError: another version has become champion meanwhile.
            RegistryError: this one is not this deployment's own, or its files are gone.
        """
        for _ in range(TRIES):
            ledger, page, current = self._champion.settled()
            if current == number or (decided and any(move.decided == decided for move in page.moves)):
                return False
            if current != expected and not (expected is None and current is not None and self.is_gone(current)):
                raise ChampionChangedError(
                    f"{self.model} version {number} was judged against champion {expected or 'none'}, and the champion "
                    f"is {current or 'none'} by now; run the month again, or decide by hand: make rollback TO={number}"
                )
            self._check(self.version(number))
            if self._champion.move(ledger, page, Event(later(page.last), number, current, _PROMOTED, by, why, decided)):
                return True
        raise self._champion.busy()

    def rollback(self, to: int | None, by: str, why: str) -> tuple[int | None, int]:
        """Make `previous` champion again, or by hand any version that is named.

        Called again after an error it ends the rollback that was cut, and does not go back once more.

        Returns:
            The champion before, None where there was none, and the champion now.

        Raises:
            ChampionChangedError: another version has become champion at this moment.
            RegistryError: there is no such version, it is the champion or not this deployment's own, or its files
                are gone.
        """
        ledger, page, current = self._champion.settled()
        last = page.last
        if page.is_cut and last is not None and last.action == _ROLLED_BACK and to in (None, last.version):
            return last.replaced, last.version
        target = to
        if target is None and last is not None and last.version == current:
            target = last.replaced
        if target is None:
            target = self.aliases().get(PREVIOUS)
        if target is None and current is None:
            raise RegistryError(f"{self.model} has no champion, so that there is nothing to roll back")
        if target is None:
            raise RegistryError(f"{self.model} has no previous champion; name a version with TO=<version>")
        if target == current:
            raise RegistryError(f"{self.model} version {target} is the champion already")
        self._check(self.version(target))
        if self._champion.move(ledger, page, Event(later(page.last), target, current, _ROLLED_BACK, by, why)):
            return current, target
        ledger, page, now = self._champion.settled()
        if now == target and page.last is not None and page.last.replaced == current:
            return current, target  # somebody else did the same
        raise ChampionChangedError(
            f"{self.model} version {now} has become champion at this moment; look at `make models`, and roll back again"
        )

    def is_gone(self, number: int) -> bool:
        """Whether a version cannot be had any more: it was deleted, or its files were."""
        try:
            TrustedFiles(self.version(number)).check()
        except GoneVersionError as error:
            log.warning("%s", error)
            return True
        except RegistryError:
            return True
        except UntrustedVersionError:
            return False
        return False

    def is_whole(self, number: int) -> bool:
        """Whether a version is there and this deployment's own, with all of its files."""
        try:
            self._check(self.version(number))
        except RegistryError:
            return False
        return True

    def _check(self, version: ModelVersion) -> None:
        try:
            TrustedFiles(version).check()
        except (UntrustedVersionError, SigningKeyError) as error:
            raise RegistryError(str(error)) from error


def parse_reference(text: str) -> tuple[str, str]:
    """`rents` (its champion), `rents/7` or `rents@previous` as (model, version or alias).

    Raises:
        RegistryError: it is none of these.
    """
    if not re.match(REFERENCE, text):
        raise RegistryError(f"{text!r} names no version; write rents (the champion), rents/7 or rents@previous")
    model, _, version = text.replace("@", "/").partition("/")
    return model, version or CHAMPION


def _words(reference: str) -> str:
    return f"version {reference}" if reference.isdecimal() else reference
