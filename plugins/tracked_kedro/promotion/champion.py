"""Who is champion, and how another version becomes it: the ledger first, then aliases and tags.

A move may be cut anywhere: whoever comes next ends it. It may be held up anywhere: whoever is slow looks, after each
move of the alias, whether the ledger still says so, and follows it. An alias that somebody sets in MLflow's own pages
stays there, and becomes a move of the ledger.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient

from tracked_kedro.promotion.ledger import Ledger, LedgerGoneError, Page
from tracked_kedro.promotion.moves import CHAMPION, PREVIOUS, Event, champion, later, noted, registered_model

log = logging.getLogger(__name__)

#: Tag of the registered model: the run that is its ledger.
LEDGER_TAG = "ledger"
_BY_HAND = "set in MLflow"
#: Each try but the last has lost against another move, which is progress too.
TRIES = 50
# A ledger that races with ours shows within this time; only models from before ledgers need it.
_SETTLE_SECONDS = 0.5
_SETS = 5


class RegistryError(ValueError):
    """An alias cannot be moved as asked; nothing was changed. The message says what to do instead."""


class ChampionChangedError(RegistryError):
    """Another version has become champion since this one was compared; nothing was changed."""


@dataclass(frozen=True)
class Champion:
    """The alias `champion` of one registered model."""

    client: MlflowClient
    model: str

    def history(self) -> list[Event]:
        """Every move of `champion`, the oldest first."""
        known = registered_model(self.client, self.model)
        if known is None:
            return []
        moves = noted(known)
        if LEDGER_TAG in known.tags:
            try:
                page = Ledger(self.client, self.model, known.tags[LEDGER_TAG]).read()
            except LedgerGoneError:
                log.warning("The ledger of %s is gone; its history is told by its tags", self.model)
            else:
                moves |= {move.tag: move for move in page.moves}
        return [moves[tag] for tag in sorted(moves)]

    def settled(self) -> tuple[Ledger, Page, int | None]:
        """Ledger, what it says, and the champion: a move that was cut is ended first, one by hand is written down.

        The aliases of `page.is_cut` are in line; who calls decides whether that move was his own.
        """
        for _ in range(TRIES):
            known = registered_model(self.client, self.model)
            if known is None:
                why = (
                    "has no version, so that there is nothing to roll back or to promote; `make retrain` registers one"
                )
                raise RegistryError(f"{self.model} {why}")
            ledger, page = self._ledger(known)
            last, current = page.last, champion(known)
            if page.is_cut:
                self._follow(ledger, page)
                return ledger, page, last.version if last else None
            if current is None or current == (last.version if last else None):
                return ledger, page, current
            told = noted(known)
            newest = told[max(told)] if told else None
            if newest is not None and newest.version == current and (last is None or newest.tag > last.tag):
                return ledger, page, current  # from before ledgers
            if last is not None and page.may_be_overrun(datetime.now(UTC)):
                self._follow(ledger, page)
                continue
            # Asked again, for the first answer is older than the ledger's.
            if (again := registered_model(self.client, self.model)) is None or champion(again) != current:
                continue
            replaced = last.version if last else newest.version if newest else None
            log.warning("%s version %d was made champion in MLflow itself", self.model, current)
            self.move(ledger, page, Event(later(last or newest), current, replaced, _BY_HAND, "somebody", ""))
        raise self.busy()

    def move(self, ledger: Ledger, page: Page, move: Event) -> bool:
        """Write the next move and let all else follow; False where another was faster, and nothing was changed."""
        name = uuid4().hex
        ledger.sign(name, move)
        won = ledger.append(page.next, move)
        if won:
            self._follow(ledger, ledger.read(), name)
            words = (self.model, move.version, move.action, move.by, move.why)
            log.info("%s version %d is champion (%s by %s: %s)", *words)
        ledger.end(name)
        return won

    def _follow(self, ledger: Ledger, page: Page, own: str = "") -> None:
        """Let aliases and tags say what the ledger says, until nobody has added to it meanwhile.

        Args:
            ledger: of this model.
            page: what it said when it was read last.
            own: name of the sign of whoever calls; the signs of others stay, for they may be on their way.
        """
        while (move := page.last) is not None:
            set_by_two(self.client.set_registered_model_alias, self.model, CHAMPION, str(move.version))
            if move.replaced is not None:
                set_by_two(self.client.set_registered_model_alias, self.model, PREVIOUS, str(move.replaced))
            facts = {"promoted_at": move.at, "promoted_by": move.by, "promoted_because": move.why}
            for key, value in facts.items():
                set_by_two(self.client.set_model_version_tag, self.model, str(move.version), key, value)
            set_by_two(self.client.set_registered_model_tag, self.model, move.tag, move.text())
            page, before = ledger.read(), move
            if page.last is not None and page.last.at == before.at:
                ledger.end_for_others(page, own)
                return

    def _ledger(self, known: RegisteredModel) -> tuple[Ledger, Page]:
        """The model's ledger; a new one where it was deleted for good, or the model is from before ledgers."""
        if LEDGER_TAG in known.tags:
            ledger = Ledger(self.client, self.model, known.tags[LEDGER_TAG])
            try:
                return ledger, ledger.read(to_write=True)
            except LedgerGoneError:
                log.warning("The ledger of %s is gone for good: a new one begins, the history is kept", self.model)
        Ledger.found_or_made(self.client, self.model)
        # Here alone two may begin at once: the older one is the ledger.
        time.sleep(_SETTLE_SECONDS)
        ledger = Ledger.found_or_made(self.client, self.model)
        set_by_two(self.client.set_registered_model_tag, self.model, LEDGER_TAG, ledger.run_id)
        return ledger, ledger.read(to_write=True)

    def busy(self) -> RegistryError:
        """What to raise after so many tries."""
        return RegistryError(f"The champion of {self.model} does not come to rest; see `make models`, and try again")


def set_by_two(call: Callable[..., None], *arguments: str) -> None:
    """Set an alias or tag that another may set at this moment; nothing where the version is gone.

    A store inserts what it did not find, and refuses the second of two who do: asked again it finds it.

        set_by_two(client.set_registered_model_alias, "rents", "challenger", "7")

    Args:
        call: a method of MLflow's client.
        arguments: of the call.
    """
    for left in reversed(range(_SETS)):
        try:
            call(*arguments)
        except MlflowException as error:
            if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                log.warning("%s: passed over, for it is gone: %s", ", ".join(arguments[:2]), error.message)
            elif error.error_code != ErrorCode.Name(BAD_REQUEST) or not left:
                raise
            else:
                continue
        return
