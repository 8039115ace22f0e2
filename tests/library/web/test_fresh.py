"""What is kept of a server's answers, and for how long."""

from __future__ import annotations

import pytest

from tracked_kedro.web.fresh import Fresh


def test_an_answer_is_asked_for_once_and_again_when_old():
    asked = []
    fresh, old = Fresh(60), Fresh(0)
    for kept in (fresh, fresh, old, old):
        kept.get("key", lambda kept=kept: asked.append(kept))
    assert asked == [fresh, old, old]


def test_an_error_is_not_kept():
    fresh = Fresh(60)
    with pytest.raises(ConnectionError):
        fresh.get("key", lambda: (_ for _ in ()).throw(ConnectionError()))
    assert fresh.get("key", lambda: 1) == 1


def test_the_least_used_answers_go_first():
    fresh = Fresh(60, most=2)
    for key in ("a", "b", "a", "c"):
        fresh.get(key, lambda key=key: key)
    assert [fresh.get(key, lambda: "asked again") for key in ("a", "c", "b")] == ["a", "c", "asked again"]
