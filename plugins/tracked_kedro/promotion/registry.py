"""Versions of a registered model and the aliases that say which one is served.

Aliases: `challenger` is the newest version, `champion` the one that is served, `previous` the champion before it.
Each move of `champion` is written into the registered model's tags, one tag an event, so that the history outlives
the aliases.

A move may be cut anywhere and repeated: what is to happen is noted first (the tag `move`), the alias is moved, then all
else follows from the note: `previous`, the version's tags, the history, the end of the note. Whoever comes next ends a
move whose alias has moved, and forgets a note whose alias has not; the history is read in the same way.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial

from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient

from tracked_kedro.parent_run.creates import created_once
from tracked_kedro.promotion.rules import REFERENCE
from tracked_kedro.serving.signing import (
    FILES_TAG,
    GoneVersionError,
    SigningKeyError,
    TrustedFiles,
    UntrustedVersionError,
)

log = logging.getLogger(__name__)

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
DIGEST_TAG = "digest"
RUN_TAG = "parent_run_id"
_EVENT = "champion."
_MOVE = "move"
_ROLLED_BACK = "rolled back"
_TAG_LENGTH = 4000


class RegistryError(ValueError):
    """An alias cannot be moved as asked; nothing was changed. The message says what to do instead."""


@dataclass(frozen=True)
class Event:
    """One move of the alias `champion`; `replaced` is None for the first champion."""

    at: str
    version: int
    replaced: int | None
    action: str
    by: str
    why: str

    @property
    def tag(self) -> str:
        """Name of its tag: the same however often it is written."""
        return f"{_EVENT}{datetime.fromisoformat(self.at):%Y%m%dT%H%M%S.%fZ}"


@dataclass(frozen=True)
class Registry:
    """One registered model of the tracking server that MLflow is set to."""

    model: str
    client: MlflowClient = field(default_factory=MlflowClient)

    def known(self) -> RegisteredModel | None:
        """The registered model with its aliases and history; None before its first version. One request."""
        try:
            return self.client.get_registered_model(self.model)
        except MlflowException as error:
            if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                return None
            raise

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
            remedy = "" if aliases else "; `make retrain` registers one"
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
        known = self.known()
        if known is None:
            return []
        tags, cut = known.tags, _moved(known)
        events = [event for name in sorted(tags) if name.startswith(_EVENT) and (event := _event(name, tags[name]))]
        return events if cut is None or cut.tag in tags else [*events, cut]

    def register(self, source: str, run_id: str, digest: str, tags: Mapping[str, str]) -> int:
        """Make a version of files that are complete, and let `challenger` name it.

        The same files of the same run are registered once, however often this is called.

        Args:
            source: address of the model's folder.
            run_id: the parent run that made it.
            digest: hash of the files.
            tags: of the version; its signature is among them (see `serving.signing`).
        """
        number = self._only(run_id, digest)
        if number is None:
            try:
                self.client.create_registered_model(self.model)
            except MlflowException as error:
                if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                    raise
            own = {RUN_TAG: run_id, DIGEST_TAG: digest, **tags}
            own = {key: value if key == FILES_TAG else value[:_TAG_LENGTH] for key, value in own.items()}
            create = partial(self.client.create_model_version, self.model, source, run_id, tags=own)
            number = created_once(lambda: int(create().version), partial(self._only, run_id, digest))
            log.info("Registered %s version %d", self.model, number)
        self.client.set_registered_model_alias(self.model, CHALLENGER, str(number))
        return number

    def _only(self, run_id: str, digest: str) -> int | None:
        """The version of these files of this run; of twins the first, or those that ever were champion, stay."""
        same = [int(version.version) for version in self.of_run(run_id) if version.tags.get(DIGEST_TAG) == digest]
        if len(same) > 1:
            kept = set(self.champions()) & set(same) or {min(same)}
            for twin in set(same) - kept:
                log.warning("%s version %d is a twin and is deleted", self.model, twin)
                self.client.delete_model_version(self.model, str(twin))
            same = sorted(kept)
        return same[0] if same else None

    def promote(self, number: int, expected: int | None, by: str, why: str) -> bool:
        """Make a version champion and keep the old champion as `previous`; False where it is champion already.

        Args:
            number: the version.
            expected: the champion it was judged against.
            by: who promotes it.
            why: the reason, for the version's tags and the history.

        Raises:
            RegistryError: another version has become champion meanwhile, this one is not this deployment's own, or its
                files are gone.
        """
        self._end_move()
        current = self.aliases().get(CHAMPION)
        if current == number:
            return False
        if current != expected and not (expected is None and current is not None and self.is_gone(current)):
            raise RegistryError(
                f"{self.model} version {number} was judged against champion {expected or 'none'}, and the champion is "
                f"{current or 'none'} by now; run the month again, or decide by hand: make rollback TO={number}"
            )
        self._check(self.version(number))
        self._move(number, current, "promoted", by, why)
        return True

    def rollback(self, to: int | None, by: str, why: str) -> tuple[int | None, int]:
        """Make `previous` champion again, or by hand any version that is named.

        Called again after an error it ends the rollback that was cut, and does not go back once more.

        Returns:
            The champion before, None where there was none, and the champion now.

        Raises:
            RegistryError: there is no such version, it is the champion or not this deployment's own, or its files
                are gone.
        """
        cut = self._end_move()
        if cut is not None and cut.action == _ROLLED_BACK and to in (None, cut.version):
            return cut.replaced, cut.version
        aliases = self.aliases()
        current, target = aliases.get(CHAMPION), to if to is not None else aliases.get(PREVIOUS)
        if target is None and current is None:
            raise RegistryError(f"{self.model} has no champion, so that there is nothing to roll back")
        if target is None:
            raise RegistryError(f"{self.model} has no previous champion; name a version with TO=<version>")
        if target == current:
            raise RegistryError(f"{self.model} version {target} is the champion already")
        self._check(self.version(target))
        self._move(target, current, _ROLLED_BACK, by, why)
        return current, target

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

    def _check(self, version: ModelVersion) -> None:
        try:
            TrustedFiles(version).check()
        except (UntrustedVersionError, SigningKeyError) as error:
            raise RegistryError(str(error)) from error

    def _move(self, number: int, current: int | None, action: str, by: str, why: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        event = Event(at, number, current, action, by, why[:_TAG_LENGTH])
        self.client.set_registered_model_tag(self.model, _MOVE, _text(event))
        self.client.set_registered_model_alias(self.model, CHAMPION, str(number))
        self._end_move()
        log.info("%s version %d is champion (%s by %s: %s)", self.model, number, action, by, why)

    def _end_move(self) -> Event | None:
        """Do what is left of a move whose alias has moved; that move, None where nothing was left."""
        known = self.known()
        event = _moved(known) if known else None
        if event is None:
            return None
        if event.replaced is not None:
            try:
                self.client.set_registered_model_alias(self.model, PREVIOUS, str(event.replaced))
            except MlflowException as error:
                # Deleted since the move was cut: nothing that one could go back to.
                if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                    raise
        facts = {"promoted_at": event.at, "promoted_by": event.by, "promoted_because": event.why}
        for key, value in facts.items():
            self.client.set_model_version_tag(self.model, str(event.version), key, value)
        self.client.set_registered_model_tag(self.model, event.tag, _text(event))
        try:
            self.client.delete_registered_model_tag(self.model, _MOVE)
        except MlflowException:
            # Done, though nobody heard of it: an error would have a rollback called once more, which goes back again.
            if (left := self.known()) is None or _MOVE in left.tags:
                raise
        return event


def parse_reference(text: str) -> tuple[str, str]:
    """`rents` (its champion), `rents/7` or `rents@previous` as (model, version or alias).

    Raises:
        RegistryError: it is none of these.
    """
    if not re.match(REFERENCE, text):
        raise RegistryError(f"{text!r} names no version; write rents (the champion), rents/7 or rents@previous")
    model, _, version = text.replace("@", "/").partition("/")
    return model, version or CHAMPION


def _moved(known: RegisteredModel) -> Event | None:
    """The move that is noted, where its alias has moved."""
    event = _event(_MOVE, known.tags[_MOVE]) if _MOVE in known.tags else None
    return event if event is not None and str(known.aliases.get(CHAMPION)) == str(event.version) else None


def _text(event: Event) -> str:
    return json.dumps(asdict(event), ensure_ascii=False)


def _event(name: str, text: str) -> Event | None:
    """A move as its tag tells it; None of a tag that somebody else has written."""
    try:
        event = Event(**json.loads(text))
        # Both are counted on below.
        if event.tag and isinstance(event.version, int):
            return event
    except (ValueError, TypeError):
        pass
    log.warning("The tag %s is no move of the champion and is passed over", name)
    return None


def _words(reference: str) -> str:
    return f"version {reference}" if reference.isdecimal() else reference
