"""The champion's ledger, and what people and older versions do to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tracked_kedro.promotion import champion
from tracked_kedro.promotion.champion import LEDGER_TAG, ChampionChangedError
from tracked_kedro.promotion.ledger import Ledger
from tracked_kedro.promotion.moves import Event, later
from tracked_kedro.promotion.registry import Registry
from tracked_kedro.serving.signing import signed


@pytest.fixture
def registry(store: MlflowClient, parent, var: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Three versions."""
    monkeypatch.setattr(champion, "_SETTLE_SECONDS", 0)
    registry = Registry("fleet", store)
    for digest in ("a", "b", "c"):
        folder = var / "mlflow" / "artifacts" / digest
        folder.mkdir(parents=True)
        (folder / "MLmodel").write_text(digest)
        registry.register(folder.as_uri(), parent.info.run_id, digest, signed("fleet", folder))
    return registry


def ledger(registry: Registry) -> Ledger:
    known = registry.known()
    assert known is not None
    return Ledger(registry.client, "fleet", known.tags[LEDGER_TAG])


def moves(registry: Registry) -> list[tuple[int, int | None, str]]:
    return [(move.version, move.replaced, move.action) for move in registry.history()]


def test_of_two_moves_of_one_number_one_is_written(registry: Registry) -> None:
    book = ledger(registry)
    first, second = (Event(later(None), number, None, "promoted", "ana", "") for number in (1, 2))
    assert book.append(1, first)
    assert book.append(1, first), "a repeated request is the same move"
    assert not book.append(1, second)
    assert book.read().moves == (first,)


def test_an_alias_that_a_person_sets_in_mlflow_stays_and_is_written_down(registry: Registry) -> None:
    registry.promote(1, None, "ana", "")
    registry.client.set_registered_model_alias("fleet", "champion", "2")
    with pytest.raises(ChampionChangedError, match="the champion is 2 by now"):
        registry.promote(3, 1, "ben", "")
    assert registry.promote(3, 2, "ben", "")
    assert moves(registry) == [(1, None, "promoted"), (2, 1, "set in MLflow"), (3, 2, "promoted")]


def test_a_model_that_was_deleted_and_made_again_has_a_history_of_its_own(
    registry: Registry, parent, var: Path
) -> None:
    registry.promote(3, None, "ana", "")
    first = ledger(registry).run_id
    registry.client.delete_registered_model("fleet")
    folder = var / "mlflow" / "artifacts" / "a"
    again = registry.register(folder.as_uri(), parent.info.run_id, "a", signed("fleet", folder))
    assert (again, moves(registry), registry.aliases()) == (1, [], {"challenger": 1})
    assert registry.promote(1, None, "ben", "")
    assert moves(registry) == [(1, None, "promoted")]
    assert ledger(registry).run_id != first


def test_an_alias_that_a_slow_process_sets_late_is_put_right(registry: Registry) -> None:
    """Its request was on its way while it was ended; the sign that it had left says that nobody meant it."""
    registry.promote(1, None, "ana", "")
    late = Event(later(registry.history()[-1]), 2, 1, "promoted", "ben", "")
    ledger(registry).sign("x", late)
    registry.promote(3, 1, "cid", "")
    registry.client.set_registered_model_alias("fleet", "champion", "2")
    with pytest.raises(ChampionChangedError, match="the champion is 3 by now"):
        registry.promote(2, 1, "ben", "")
    assert registry.aliases()["champion"] == 3
    assert moves(registry) == [(1, None, "promoted"), (3, 1, "promoted")]


def test_a_sign_of_long_ago_protects_nothing_and_is_taken_away(registry: Registry) -> None:
    registry.promote(1, None, "ana", "")
    long_ago = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    ledger(registry).sign("x", Event(long_ago, 2, None, "promoted", "ben", ""))
    registry.client.set_registered_model_alias("fleet", "champion", "2")
    registry.promote(3, 2, "cid", "")
    assert moves(registry)[1:] == [(2, 1, "set in MLflow"), (3, 2, "promoted")]
    assert ledger(registry).read().signs == {}


def test_a_move_that_was_cut_a_month_ago_is_ended(registry: Registry) -> None:
    registry.promote(1, None, "ana", "")
    book, long_ago = ledger(registry), datetime.now(UTC) + timedelta(microseconds=1)
    cut = Event(long_ago.isoformat(), 2, 1, "promoted", "ben", "better")
    book.sign("x", cut)
    book.append(2, cut)
    registry.promote(3, 2, "cid", "")
    assert moves(registry) == [(1, None, "promoted"), (2, 1, "promoted"), (3, 2, "promoted")]
    assert registry.version(2).tags["promoted_because"] == "better"


def test_a_ledger_that_is_deleted_is_restored(registry: Registry) -> None:
    registry.promote(1, None, "ana", "")
    registry.client.delete_run(ledger(registry).run_id)
    assert moves(registry) == [(1, None, "promoted")]
    registry.promote(2, 1, "ana", "")
    assert moves(registry) == [(1, None, "promoted"), (2, 1, "promoted")]
    assert registry.client.get_run(ledger(registry).run_id).info.lifecycle_stage == "active"


def test_a_ledger_that_is_gone_for_good_leaves_the_history(registry: Registry) -> None:
    registry.promote(1, None, "ana", "")
    registry.client.set_registered_model_tag("fleet", LEDGER_TAG, "0" * 32)
    assert moves(registry) == [(1, None, "promoted")]
    registry.promote(2, 1, "ana", "")
    assert registry.rollback(None, "ben", "") == (2, 1)
    assert moves(registry) == [(1, None, "promoted"), (2, 1, "promoted"), (1, 2, "rolled back")]


def test_a_model_from_before_ledgers_goes_on(registry: Registry) -> None:
    before = Event(later(None), 1, None, "promoted", "ana", "")
    registry.client.set_registered_model_tag("fleet", before.tag, before.text())
    registry.client.set_registered_model_alias("fleet", "champion", "1")
    registry.client.delete_registered_model_tag("fleet", LEDGER_TAG)
    registry.promote(2, 1, "ben", "")
    assert moves(registry) == [(1, None, "promoted"), (2, 1, "promoted")]


def test_a_long_reason_is_cut_and_the_move_is_kept(registry: Registry) -> None:
    registry.promote(1, None, "ana", '"\n' * 5000)
    (move,) = registry.history()
    assert (move.version, move.why[:2]) == (1, '"\n')
    assert ledger(registry).read().last == move
