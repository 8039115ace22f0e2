"""The notes of finished child runs: found by name, without a listing; an error is no absence."""

from pathlib import Path

import pytest

from tracked_kedro.child_runs.index import ChildIndex


@pytest.fixture(params=["{folder}/child_runs", "memory://child_runs"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> ChildIndex:
    return ChildIndex(request.param.format(folder=tmp_path), f"parent-{tmp_path.name}")


def test_run_ids_of_those_that_are_noted(index: ChildIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    assert index.run_ids([]) == index.run_ids(["belem"]) == []
    assert index.count() == 0
    index.add("belem", "run-1")
    index.add("rio", "run-2")
    assert index.count() == 2
    assert sorted(index.all_run_ids()) == ["run-1", "run-2"]
    monkeypatch.setattr(index, "_files", lambda: pytest.fail("a listing grows with the fleet"))
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


HOSTILE = ["a/b", "a_b", "..", ".", "A", "a", "con", "a.", "São Paulo", "x" * 300, ""]


def test_no_key_is_another_ones_note_or_leaves_the_folder(index: ChildIndex) -> None:
    for key in HOSTILE:
        index.add(key, f"run of {key}")
    assert index.count() == len(HOSTILE)
    for key in HOSTILE:
        assert index.run_ids([key]) == [f"run of {key}"]


def test_a_note_of_0_2_0_is_found_and_forgotten(index: ChildIndex) -> None:
    index.add("other", "run-0")
    index._filesystem.pipe_file(f"{index._folder}/INMET.A801", b"run-1")
    assert index.run_ids(["INMET.A801"]) == ["run-1"]
    index.remove("INMET.A801")
    assert index.run_ids(["INMET.A801"]) == []
