"""The moves of a model's alias `champion`, in one order that nobody can overwrite.

A tracking server sets tags and aliases for whoever comes last, and has no locks. Parameters of a run are written once:
a second value under a name that is taken is refused by the database itself. The n-th move is the parameter `move.<n>`
of one run, the ledger of the model, so that of two who write the n-th move one is told that he came second
(docs/decisions/0014).

While somebody brings the alias in line with the ledger, a tag of the ledger says so: the sign of whoever was cut.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    BAD_REQUEST,
    INVALID_PARAMETER_VALUE,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from tracked_kedro.parent_run.creates import created_once
from tracked_kedro.promotion.moves import Event, event

log = logging.getLogger(__name__)

_MOVE, _SIGN, _OF = "move.", "moving.", "ledger_of"
_NUMBERED = re.compile(r"move\.(\d{4,})")
# Where there is no such run; the second of what is no run's id, for anybody may edit the tag that leads to a ledger.
_NO_RUN = (ErrorCode.Name(RESOURCE_DOES_NOT_EXIST), ErrorCode.Name(INVALID_PARAMETER_VALUE))
# What a store answers to the second of two who write at once.
_REFUSED = (ErrorCode.Name(INVALID_PARAMETER_VALUE), ErrorCode.Name(BAD_REQUEST))
# How long a process may be held up between asking where the alias stands and moving it.
_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Page:
    """What a ledger says at one moment.

    Attributes:
        moves: in their order.
        next: number of the next move.
        signs: by their names, what those have left who are bringing the alias in line: the move's `at`, which begins
            with `ended ` where somebody else has done it for them.
    """

    moves: tuple[Event, ...]
    next: int
    signs: Mapping[str, str]

    @property
    def last(self) -> Event | None:
        """What the alias should say."""
        return self.moves[-1] if self.moves else None

    @property
    def is_cut(self) -> bool:
        """Whether somebody is, or was cut, between the last move and its alias."""
        return self.last is not None and self.last.at in self.signs.values()

    def may_be_overrun(self, now: datetime) -> bool:
        """Whether the alias may stand where it does because somebody was slow, not because somebody put it there."""
        return any(not _is_old(sign, now) for sign in self.signs.values())

    def old(self, now: datetime) -> list[str]:
        """Signs of those who will not come back."""
        last = self.last.at if self.last else ""
        return [name for name, sign in self.signs.items() if sign != last and _is_old(sign, now)]


def _is_old(sign: str, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(sign.removeprefix("ended ")) > _PATIENCE
    except (ValueError, TypeError):
        return True


class LedgerGoneError(LookupError):
    """The run is gone for good, or is no ledger of this model."""


@dataclass(frozen=True)
class Ledger:
    """The ledger of one registered model."""

    client: MlflowClient
    model: str
    run_id: str

    @classmethod
    def found_or_made(cls, client: MlflowClient, model: str) -> Ledger:
        """The oldest ledger of a model, made where there is none, in an experiment of its own."""

        def oldest() -> Run | None:
            query = f"tags.`{_OF}` = '{model}'"
            order = ["attributes.start_time ASC", "attributes.run_id ASC"]
            return next(iter(client.search_runs([experiment], query, max_results=1, order_by=order)), None)

        experiment = _experiment(client, f"{model}-champions")
        note = f"The moves of {model}'s alias `champion`, in their order. Do not delete: promotions go by it."
        tags = {_OF: model, MLFLOW_RUN_NOTE: note}
        run = oldest() or created_once(lambda: client.create_run(experiment, run_name=model, tags=tags), oldest)
        if run.info.status == "RUNNING":
            client.set_terminated(run.info.run_id)
        return cls(client, model, run.info.run_id)

    def retire(self) -> None:
        """Leave this ledger to a registered model that was deleted; another of its name begins a new one."""
        self.client.set_tag(self.run_id, _OF, f"{self.model}, deleted")

    def read(self, to_write: bool = False) -> Page:
        """What it says now.

        Args:
            to_write: restore it, where somebody has deleted it: a deleted run takes no parameter.

        Raises:
            LedgerGoneError: the run was deleted for good, or is no ledger of this model.
        """
        run = self._run()
        if to_write and run.info.lifecycle_stage == LifecycleStage.DELETED:
            log.warning("The run %s, which holds the moves of %s's champion, was deleted: restored", *self._names)
            self.client.restore_run(self.run_id)
        numbered = {int(found[1]): key for key in run.data.params if (found := _NUMBERED.fullmatch(key))}
        moves = (event(numbered[number], run.data.params[numbered[number]]) for number in sorted(numbered))
        signs = {key: value for key, value in run.data.tags.items() if key.startswith(_SIGN)}
        return Page(tuple(move for move in moves if move), max(numbered, default=0) + 1, signs)

    def append(self, number: int, move: Event) -> bool:
        """Write the move of this number; False where another has this number already."""
        try:
            self.client.log_param(self.run_id, f"{_MOVE}{number:04d}", move.text())
        except MlflowException as error:
            if error.error_code not in _REFUSED:
                raise
            return move.text() in [one.text() for one in self.read(to_write=True).moves]
        return True

    def sign(self, name: str, move: Event) -> None:
        """Say that the alias is being moved: before the move is written, so that no cut goes unseen."""
        self.client.set_tag(self.run_id, f"{_SIGN}{name}", move.at)

    def end_for_others(self, page: Page, own: str = "") -> None:
        """Take note that the last move is done, whoever began it, and forget those who will not come back."""
        for name, at in page.signs.items():
            if page.last and at == page.last.at and name != f"{_SIGN}{own}":
                try:
                    self.client.set_tag(self.run_id, name, f"ended {at}")
                except MlflowException as error:
                    # Whoever has left it takes it away at this moment.
                    if error.error_code not in _REFUSED:
                        raise
        for name in page.old(datetime.now(UTC)):
            self.end(name.removeprefix(_SIGN))

    def end(self, name: str) -> None:
        """Take a sign away."""
        try:
            self.client.delete_tag(self.run_id, f"{_SIGN}{name}")
        except MlflowException:
            # Done, though nobody heard of it: an error would have a rollback called once more, which goes back again.
            if f"{_SIGN}{name}" in self._run().data.tags:
                raise

    @property
    def _names(self) -> tuple[str, str]:
        return self.run_id, self.model

    def _run(self) -> Run:
        try:
            run = self.client.get_run(self.run_id)
        except MlflowException as error:
            if error.error_code not in _NO_RUN:
                raise
            raise LedgerGoneError(self.run_id) from error
        if run.data.tags.get(_OF) != self.model:
            raise LedgerGoneError(self.run_id)
        return run


def _experiment(client: MlflowClient, name: str) -> str:
    """Id of the experiment of this name, made where there is none; one that was deleted is restored."""
    for _ in range(2):
        found = client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == LifecycleStage.DELETED:
                client.restore_experiment(found.experiment_id)
            return found.experiment_id
        try:
            return client.create_experiment(name)
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise
    raise LedgerGoneError(name)
