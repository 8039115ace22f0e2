"""`promote` where another champion came since the month was compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.fixtures.rents import Rents
from tracked_kedro.dag.promoting import carried_out, of_session
from tracked_kedro.errors import PermanentError
from tracked_kedro.kedro_side.sessions import Session
from tracked_kedro.parent_run import runs
from tracked_kedro.promotion.registry import Registry


class Month:
    """The DAG run of one month, compared and not promoted yet."""

    def __init__(self, client: MlflowClient, experiment: str, cutoff: str, mode: str = "auto") -> None:
        self.client = client
        asked = {"cutoff": cutoff, "newest": "2030-01-01", "promotion": {"mode": mode}}
        approval = {"by": "ana", "why": ""}
        self.session = Session("rents", {"run_key": cutoff, "rents": asked, "approval": approval})
        self.run_id = runs.open_parent(experiment, "rents", cutoff, f"rents {cutoff}", {})
        before = ["read", "flats.fit", "assess", "register", "decide"]
        runs.in_parent(self.run_id, lambda: self.session.run(nodes=before))

    def promote(self, asked: bool = False) -> str | None:
        return carried_out(of_session(self.run_id, self.session, ["promote"]), asked)

    @property
    def outcome(self) -> str:
        return self.client.get_run(self.run_id).data.tags["promotion"]


@pytest.fixture
def month(rents: Rents, store: MlflowClient, var: Path) -> Callable[..., Month]:
    experiment = store.create_experiment("rents", artifact_location=(var / "mlflow" / "artifacts").as_uri())
    return lambda cutoff, mode="auto": Month(store, experiment, cutoff, mode)


def test_a_later_month_is_compared_again_and_wins(month: Callable[..., Month]) -> None:
    first, second = month("2024-03-01"), month("2024-04-01")
    assert first.promote() is None
    assert second.promote() is None
    registry = Registry("rents", first.client)
    assert [(move.version, move.replaced) for move in registry.history()] == [(1, None), (2, 1)]
    tags = second.client.get_run(second.run_id).data.tags
    assert second.outcome.startswith("promoted")
    assert "error_type" not in tags, "that there was another champion first is no failure"


def test_an_earlier_month_is_compared_again_and_says_why_it_does_not_win(month: Callable[..., Month]) -> None:
    first, second = month("2024-03-01"), month("2024-04-01")
    assert second.promote() is None
    assert "cutoff not before the champion's" in str(first.promote())
    assert first.outcome.startswith("not promoted: ")
    assert [move.version for move in Registry("rents", first.client).history()] == [2]


def test_what_a_person_has_approved_ends_with_the_remedy(month: Callable[..., Month]) -> None:
    first, second = month("2024-03-01"), month("2024-04-01", "approve")
    first.promote()
    with pytest.raises(PermanentError, match=r"champion is 1 by now.*clear decide and the tasks after it"):
        second.promote(asked=True)
    assert Registry("rents", first.client).aliases()["champion"] == 1


def test_a_try_that_is_repeated_after_a_rollback_does_not_undo_it(month: Callable[..., Month]) -> None:
    first = month("2024-03-01")
    first.promote()
    second = month("2024-04-01")
    second.promote()
    registry = Registry("rents", first.client)
    assert registry.rollback(None, "ben", "wrong") == (2, 1)
    second.promote()
    assert registry.aliases()["champion"] == 1


def test_after_a_rollback_honest_months_win_again(month: Callable[..., Month]) -> None:
    """The first click of issue 14: a month of the far future became champion."""
    month("2024-03-01").promote()
    month("2026-11-01").promote()
    registry = Registry("rents")
    assert registry.rollback(None, "ben", "stale") == (2, 1)
    assert month("2024-04-01").promote() is None
    assert [(move.version, move.action) for move in registry.history()] == [
        (1, "promoted"),
        (2, "promoted"),
        (1, "rolled back"),
        (3, "promoted"),
    ]
