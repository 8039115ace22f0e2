"""One move of the alias `champion`: what is known of it, and how ledger and tags write it."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient

log = logging.getLogger(__name__)

CHAMPION, PREVIOUS = "champion", "previous"
#: MLflow's stores refuse longer values of tags, and cut longer parameters.
TAG_LENGTH = 4000
_EVENT = "champion."


@dataclass(frozen=True)
class Event:
    """One move of the alias `champion`; `replaced` is None for the first champion.

    Attributes:
        decided: the decision that was carried out, empty where there was none: one decision moves the alias once.
    """

    at: str
    version: int
    replaced: int | None
    action: str
    by: str
    why: str
    decided: str = ""

    @property
    def tag(self) -> str:
        """Name of its tag on the registered model: the same however often it is written."""
        return f"{_EVENT}{datetime.fromisoformat(self.at):%Y%m%dT%H%M%S.%fZ}"

    def text(self) -> str:
        """As ledger and tag keep it; a long reason is cut, so that no store has to."""
        short, length = self, len(self.why)
        while len(text := json.dumps(asdict(short), ensure_ascii=False)) > TAG_LENGTH and length:
            length //= 2
            short = replace(self, by=self.by[:200], why=f"{self.why[:length]}…")
        return text


def event(name: str, text: str) -> Event | None:
    """A move as its parameter or tag tells it; None of one that somebody else has written."""
    try:
        found = Event(**json.loads(text))
        # These are counted on.
        if found.tag and isinstance(found.version, int) and isinstance(found.replaced, int | None):
            return found
    except (ValueError, TypeError):
        pass
    log.warning("%s is no move of the champion and is passed over", name)
    return None


def later(last: Event | None) -> str:
    """The present moment, later than the last move's: clocks of machines differ."""
    now = datetime.now(UTC)
    if last is not None:
        now = max(now, datetime.fromisoformat(last.at).astimezone(UTC) + timedelta(microseconds=1))
    return now.isoformat(timespec="microseconds")


def registered_model(client: MlflowClient, model: str) -> RegisteredModel | None:
    """The registered model with its aliases and history; None before its first version. One request."""
    try:
        return client.get_registered_model(model)
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            return None
        raise


def champion(known: RegisteredModel) -> int | None:
    """The version that the alias names."""
    return int(known.aliases[CHAMPION]) if CHAMPION in known.aliases else None


def noted(known: RegisteredModel) -> dict[str, Event]:
    """The moves that the model's tags tell, by tag."""
    names = (name for name in known.tags if name.startswith(_EVENT))
    return {name: found for name in names if (found := event(name, known.tags[name]))}
