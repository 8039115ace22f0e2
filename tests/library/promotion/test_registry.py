"""Versions and aliases on a real store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tracked_kedro.promotion.registry import Registry, RegistryError
from tracked_kedro.serving.signing import signed


@pytest.fixture
def registry(store: MlflowClient) -> Registry:
    return Registry("fleet", store)


@pytest.fixture
def new_version(registry: Registry, parent, var: Path):
    """Registers one more version; its number."""

    def make(digest: str) -> int:
        folder = var / "mlflow" / "artifacts" / digest
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "MLmodel").write_text(digest)
        tags = {"cutoff": digest, **signed("fleet", folder)}
        return registry.register(folder.as_uri(), parent.info.run_id, digest, tags)

    return make


def test_a_version_is_the_challenger_and_made_once(registry: Registry, new_version, parent):
    assert (new_version("a"), new_version("a"), new_version("b")) == (1, 1, 2)
    assert registry.aliases() == {"challenger": 2}
    assert registry.version("1").tags["parent_run_id"] == parent.info.run_id


def test_promotion_keeps_the_champion_before_and_says_who_and_why(registry: Registry, new_version):
    first, second = new_version("a"), new_version("b")
    assert registry.promote(first, None, "ana", "better")
    assert registry.promote(second, first, "ben", "better still")
    assert not registry.promote(second, first, "ben", "a retry"), "a repeated call changes nothing"
    assert registry.aliases() == {"challenger": 2, "champion": 2, "previous": 1}
    tags = registry.version("champion").tags
    assert (tags["promoted_by"], tags["promoted_because"]) == ("ben", "better still")
    assert [(event.version, event.replaced, event.by) for event in registry.history()] == [
        (1, None, "ana"),
        (2, 1, "ben"),
    ]


def test_a_champion_that_came_meanwhile_stops_the_promotion(registry: Registry, new_version):
    for digest in ("a", "b", "c"):
        new_version(digest)
    registry.promote(1, None, "ana", "")
    registry.promote(2, 1, "ben", "")
    with pytest.raises(RegistryError, match="judged against champion 1, and the champion is 2"):
        registry.promote(3, 1, "cid", "")
    assert registry.aliases()["champion"] == 2


def test_rollback_goes_back_and_can_be_taken_back(registry: Registry, new_version):
    for digest in ("a", "b", "c"):
        new_version(digest)
    registry.promote(1, None, "ana", "")
    registry.promote(2, 1, "ana", "")
    assert registry.rollback(None, "ben", "wrong in Belém") == (2, 1)
    assert registry.aliases() == {"challenger": 3, "champion": 1, "previous": 2}
    assert registry.rollback(3, "ben", "tried by hand") == (1, 3)
    last = registry.history()[-1]
    assert (last.action, last.version, last.replaced, last.by, last.why) == (
        "rolled back",
        3,
        1,
        "ben",
        "tried by hand",
    )
    assert registry.champions() == [1, 2, 3]


@pytest.mark.parametrize(
    ("target", "message"), [(None, "no previous champion"), (1, "is the champion already"), (9, "has no version 9")]
)
def test_rollback_refuses_with_the_remedy(registry: Registry, new_version, target: int | None, message: str):
    new_version("a")
    registry.promote(1, None, "ana", "")
    with pytest.raises(RegistryError, match=message):
        registry.rollback(target, "ben", "")
    assert registry.aliases()["champion"] == 1


def test_an_empty_registry_is_said_with_the_remedy(registry: Registry):
    with pytest.raises(
        RegistryError, match="fleet has no champion; it has no version; a complete `make retrain` registers one"
    ):
        registry.version("champion")
    with pytest.raises(RegistryError, match="nothing to roll back"):
        registry.rollback(None, "ben", "")


def test_an_alias_does_not_move_to_files_that_are_gone(registry: Registry, new_version, var: Path):
    for digest in ("a", "b", "c"):
        new_version(digest)
    registry.promote(1, None, "ana", "")
    registry.promote(2, 1, "ana", "")
    for digest in ("a", "c"):
        (var / "mlflow" / "artifacts" / digest / "MLmodel").unlink()
    for move in (lambda: registry.rollback(None, "ben", ""), lambda: registry.promote(3, 2, "ben", "")):
        with pytest.raises(RegistryError, match=r"MLmodel is there no more; restore it from a backup, or retrain"):
            move()
    assert registry.aliases() == {"challenger": 3, "champion": 2, "previous": 1}
    assert len(registry.history()) == 2


@pytest.mark.parametrize("how", ["files", "version"])
def test_a_champion_that_is_gone_does_not_stand_in_the_way(registry: Registry, new_version, var: Path, how: str):
    """Whoever judged the next month found no champion."""
    for digest in ("a", "b"):
        new_version(digest)
    registry.promote(1, None, "ana", "")
    if how == "files":
        (var / "mlflow" / "artifacts" / "a" / "MLmodel").unlink()
    else:
        registry.client.delete_model_version("fleet", "1")
    assert registry.promote(2, None, "ana", "")
    assert registry.aliases()["champion"] == 2


def test_a_tag_that_somebody_wrote_is_no_move(registry: Registry, new_version):
    new_version("a")
    registry.promote(1, None, "ana", "")
    move = {"at": "soon", "version": 1, "replaced": None, "action": "promoted", "by": "eve", "why": ""}
    hostile = {"champion.x": "{", "champion.y": '{"at": 1}', "champion.z": "[]", "move": json.dumps(move)}
    for name, text in {**hostile, "champion.w": json.dumps(move | {"at": "2026-11-28", "version": "x"})}.items():
        registry.client.set_registered_model_tag("fleet", name, text)
    assert [event.version for event in registry.history()] == [1]
    with pytest.raises(RegistryError, match="no previous champion"):
        registry.rollback(None, "ben", "")
