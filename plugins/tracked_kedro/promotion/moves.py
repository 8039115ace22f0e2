"""Moves of the alias `champion`: each is written into the registered model's tags, one tag an event.

So the history outlives the aliases. A move may be cut anywhere and repeated: what is to happen is noted first (the
tag `move`), the alias is moved, then all else follows from the note: `previous`, the version's tags, the history, the
end of the note. Whoever comes next ends a move whose alias has moved, and forgets a note whose alias has not; the
history is read in the same way.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient

log = logging.getLogger(__name__)

CHAMPION, PREVIOUS = "champion", "previous"
#: MLflow's stores refuse longer values of tags.
TAG_LENGTH = 4000
_EVENT = "champion."
_MOVE = "move"


@dataclass(frozen=True)
class Event:
    """One move of the alias `champion`; `replaced` is None for the first champion."""

    at: str
    version: int
    replaced: int | None
    action: str
    by: str
    why: str

    @classmethod
    def now(cls, version: int, replaced: int | None, action: str, by: str, why: str) -> Event:
        """A move that begins at this moment; a reason that is too long for a tag is cut."""
        return cls(
            datetime.now(UTC).isoformat(timespec="microseconds"), version, replaced, action, by, why[:TAG_LENGTH]
        )

    @property
    def tag(self) -> str:
        """Name of its tag: the same however often it is written."""
        return f"{_EVENT}{datetime.fromisoformat(self.at):%Y%m%dT%H%M%S.%fZ}"


def registered_model(client: MlflowClient, model: str) -> RegisteredModel | None:
    """The registered model with its aliases and history; None before its first version. One request."""
    try:
        return client.get_registered_model(model)
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            return None
        raise


def history(known: RegisteredModel) -> list[Event]:
    """Every move of `champion`, the oldest first; one that was cut after the alias moved is among them."""
    tags, cut = known.tags, _moved(known)
    events = [event for name in sorted(tags) if name.startswith(_EVENT) and (event := _event(name, tags[name]))]
    return events if cut is None or cut.tag in tags else [*events, cut]


def move(client: MlflowClient, model: str, event: Event) -> None:
    """Let `champion` name the event's version, and write down who did it and why.

    Args:
        client: of the registry.
        model: name of the registered model.
        event: the move, see `Event.now`.
    """
    client.set_registered_model_tag(model, _MOVE, _text(event))
    client.set_registered_model_alias(model, CHAMPION, str(event.version))
    end_move(client, model)
    log.info("%s version %d is champion (%s by %s: %s)", model, event.version, event.action, event.by, event.why)


def end_move(client: MlflowClient, model: str) -> Event | None:
    """Do what is left of a move whose alias has moved; that move, None where nothing was left."""
    known = registered_model(client, model)
    event = _moved(known) if known else None
    if event is None:
        return None
    if event.replaced is not None:
        try:
            client.set_registered_model_alias(model, PREVIOUS, str(event.replaced))
        except MlflowException as error:
            # Deleted since the move was cut: nothing that one could go back to.
            if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                raise
    facts = {"promoted_at": event.at, "promoted_by": event.by, "promoted_because": event.why}
    for key, value in facts.items():
        client.set_model_version_tag(model, str(event.version), key, value)
    client.set_registered_model_tag(model, event.tag, _text(event))
    try:
        client.delete_registered_model_tag(model, _MOVE)
    except MlflowException:
        # Done, though nobody heard of it: an error would have a rollback called once more, which goes back again.
        if (left := registered_model(client, model)) is None or _MOVE in left.tags:
            raise
    return event


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
