"""Names made of ids that people choose: two ids never share one, and every store takes each."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracked_kedro.dag.task_session import run_key_of
from tracked_kedro.kedro_side.locations import run_folder
from tracked_kedro.kedro_side.run_keys import earlier_run_key, file_name, run_key, run_keys

IDS = st.text(max_size=400) | st.from_regex(r"\A(manual|scheduled)__[\w:+. /-]{0,260}\Z")
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


@given(st.lists(IDS, min_size=2, max_size=6, unique=True))
@example(["a:b", "a+b", "a_b", "A:b"])
@example([".", "..", "", "...", "kedro", "monitoring"])
@example(["con", "CON", "con.txt", "-rf", "a.", "a ", "a"])
@example(["x" * 250, "x" * 249 + "y"])
@pytest.mark.parametrize("name", [run_key, file_name])
def test_ids_share_no_name_whatever_the_store_ignores(name: Any, ids: list[str]) -> None:
    made = [name(one) for one in ids]
    # Not even where case means nothing.
    assert len({one.casefold() for one in made}) == len(ids)
    for one in made:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*|-[0-9a-f]{32}", one)
        assert len(one.encode()) <= 255
        assert one.casefold() not in DEVICES


@given(IDS)
def test_a_name_that_was_made_is_no_other_ids_name(text: str) -> None:
    assert file_name(run_key(text)) != run_key(text)


@given(IDS)
@example("kedro")
@example("monitoring")
def test_no_run_has_the_folder_of_what_is_no_dag_run(text: str) -> None:
    assert run_key(text) not in {"kedro", "monitoring", "model_graphs", "replay__2019-01-01"}


@pytest.mark.parametrize("key", ["..", ".", "a/b", "../victim", "/etc", "a\\b", "a:b"])
def test_a_key_that_is_no_name_is_refused(var, key: str) -> None:
    with pytest.raises(ValueError, match="names a folder; write it with letters"):
        run_folder("rents", key)


def test_both_names_of_a_run_are_known_and_none_outside() -> None:
    assert run_keys("a:b") == (run_key("a:b"), "a_b")
    assert run_keys("..") == (run_key(".."),)


def context(task: str, run_id: str, opened: dict[str, Any]) -> dict[str, Any]:
    """What a task reads of Airflow's context."""
    pull = {None: "parent", **opened}
    ti = SimpleNamespace(task_id=task, xcom_pull=lambda task_ids, key=None: pull.get(key))
    return {"ti": ti, "dag_run": SimpleNamespace(run_id=run_id)}


class TestTasks:
    def test_each_run_has_the_folder_that_open_run_told(self) -> None:
        told = run_key_of(context("open_run", "a:b", {}))
        assert told != run_key_of(context("open_run", "a+b", {}))
        assert run_key_of(context("report", "a:b", {"run_key": told})) == told == run_key("a:b")

    def test_a_cleared_task_of_a_run_from_before_the_upgrade_finds_its_data(self) -> None:
        assert run_key_of(context("report", "a:b", {})) == "a_b" == earlier_run_key("a:b")
