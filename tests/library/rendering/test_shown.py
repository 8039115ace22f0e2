"""Stages and titles of a DAG's tasks, from nothing but the groups and their docstrings."""

from __future__ import annotations

from types import SimpleNamespace

from tracked_kedro.rendering.shown import shown, stages, titles, words


def groups(**waits: str) -> list[SimpleNamespace]:
    return [SimpleNamespace(name=name, nodes=[name], dependencies=before.split()) for name, before in waits.items()]


FLEET = groups(read="", plot="read", split="read", series="split", other="series read", late="plot", last="other late")


def test_what_waits_for_training_decides_and_all_else_prepares():
    assert stages(FLEET, ["series"]) == {
        "read": "prepare",
        "plot": "prepare",
        "split": "prepare",
        "series": "train",
        "other": "decide",
        "late": "prepare",
        "last": "decide",
    }


def test_what_lies_between_two_that_train_trains_so_that_no_box_waits_for_itself():
    found = stages(groups(a="", b="a", c="b", d="c", side="a"), ["a", "c"])
    assert found == {"a": "train", "b": "train", "c": "train", "d": "decide", "side": "decide"}


def test_without_a_task_that_trains_there_are_no_boxes():
    assert stages(FLEET, []) == {}
    assert stages(FLEET, ["gone"]) == {}


def test_a_task_is_called_by_the_beginning_of_its_docstring_where_that_is_short():
    docs = {
        "read": "Read, check and tidy.",
        "plot": "Draw the model's `graph`, once per configuration.\n\nMore.",
        "split": "A sentence that says so very much that no box of a graph could ever hold it.",
        "series": None,
        "late": "Same function",
        "last": "Same function",
    }
    assert titles(FLEET, docs) == {
        "read": "Read",
        "plot": "Draw the model's graph",
        "split": "Split",
        "series": "Series",
        "other": "Other",
        "late": "Late",
        "last": "Last",
    }


def test_a_group_of_several_nodes_is_called_by_its_name():
    [title] = titles([SimpleNamespace(name="ns.flats", nodes=["a", "b"], dependencies=[])], {"a": "Do it"}).values()
    assert title == "Ns flats" == words("ns.flats")


def test_own_tasks_stand_where_they_belong_by_their_ids():
    ids = {group.name: f"id_{group.name}" for group in FLEET}
    found = shown(FLEET, ids, {}, training=["id_other"], mapped=["series"], promotion=["register", "approve"])
    assert found.stages.keys() == {*ids.values(), "id_series_shards", "register", "approve"}
    assert found.stages["id_series_shards"] == found.stages["id_series"] == found.stages["id_other"] == "train"
    assert found.stages["register"] == found.stages["approve"] == found.stages["id_last"] == "decide"
    assert found.titles["id_series_shards"] == "List shards of id series"
    assert found.titles["open_run"] == "Open the MLflow run"
