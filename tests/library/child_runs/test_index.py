"""The notes of finished child runs: found by name, without a listing; an error is no absence."""

from pathlib import Path

import pytest

from tracked_kedro.child_runs.index import ChildIndex


@pytest.fixture(params=["{folder}/child_runs", "memory://child_runs"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> ChildIndex:
    return ChildIndex(request.param.format(folder=tmp_path), f"parent-{tmp_path.name}")


def test_run_ids_of_those_that_are_noted(index: ChildIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    assert index.run_ids([]) == index.run_ids(["belem"]) == []
    assert index.keys() == set()
    index.add("belem", "run-1")
    index.add("rio", "run-2")
    assert index.keys() == {"belem", "rio"}
    monkeypatch.setattr(index, "keys", lambda: pytest.fail("a listing grows with the fleet"))
    assert sorted(index.run_ids(["rio", "recife", "belem"])) == ["run-1", "run-2"]
    index.remove("rio")
    assert index.run_ids(["rio", "belem"]) == ["run-1"]


def test_whether_there_are_notes_is_asked_without_a_listing(index: ChildIndex, monkeypatch) -> None:
    assert not index.exists()
    index.add("belem", "run-1")
    monkeypatch.setattr(index._filesystem, "ls", lambda *_, **__: pytest.fail("a listing grows with the fleet"))
    assert index.exists()


def test_a_store_that_fails_is_not_taken_for_one_that_has_nothing(index: ChildIndex, monkeypatch) -> None:
    """Else finished series would get a second child run."""

    def unreachable(*args: object, **kwargs: object) -> bytes:
        raise PermissionError("no")

    monkeypatch.setattr(index._filesystem, "cat_file", unreachable)
    with pytest.raises(PermissionError):
        index.run_ids(["belem"])
