"""The parts of hosting that are functions of plain values."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.handover import handed_over
from tracked_kedro.guest.metrics import numbers
from tracked_kedro.guest.placement import placed
from tracked_kedro.hosting.child_environment import child_environment
from tracked_kedro.hosting.description import Dataset, Description, Node
from tracked_kedro.hosting.grouping import chosen, grouped
from tracked_kedro.hosting.task_ids import task_ids
from tracked_kedro.promotion.rules import Rule


def test_relative_paths_of_outputs_move_and_all_others_stay():
    partitioned = {"type": "partitions.PartitionedDataset", "path": "data/days", "dataset": {"type": "x", "path": "in"}}
    catalog = {
        "free": {"type": "x", "filepath": "data/01_raw/a.csv"},
        "days": partitioned,
        "t@pandas": {"type": "x", "filepath": "data/t.parquet", "credentials": "mine"},
        "store": {"type": "x", "filepath": "s3://bucket/a"},
        "root": {"type": "x", "filepath": "/srv/a"},
        "above": {"type": "x", "filepath": "../a"},
        "{any}.pattern": {"type": "x", "filepath": "data/{any}.csv"},
    }
    resolved = {**catalog, "t@polars": {"type": "y", "filepath": "data/t.parquet"}}
    del resolved["{any}.pattern"]
    found = placed(catalog, resolved, ["days", "t@pandas", "store", "root", "above"], "s3://runs/1")
    assert found["t@polars"] == {"type": "y", "filepath": "s3://runs/1/data/t.parquet"}
    assert found["t@pandas"]["credentials"] == "mine"
    assert found["days"]["path"] == "s3://runs/1/data/days"
    assert found["days"]["dataset"]["path"] == "s3://runs/1/in"
    for name in ("free", "store", "root", "above", "{any}.pattern"):
        assert found[name] == catalog[name]


def test_a_file_under_another_name_is_handed_on_unless_it_is_of_an_earlier_run():
    def node(name: str, inputs: list[str], outputs: list[str]) -> SimpleNamespace:
        return SimpleNamespace(name=name, inputs=inputs, outputs=outputs)

    nodes = [node("write", ["before"], ["days"]), node("read", ["new_days"], ["seen"])]
    paths = {"days": {"data/days"}, "new_days": {"data/days"}, "before": {"data/days"}}
    assert handed_over(nodes, paths) == {"new_days": "days"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, {"m": 0.5}),
        ({"a": 1, "b": {"c": True}}, {"a": 1.0, "b.c": 1.0}),
        ({"r2": {"value": 0.5, "step": 0}}, {"r2": 0.5}),
        ('{"R²": 1}', {"R²": 1.0}),
        ({"a|b": 1}, {"a_b": 1.0}),
        (pd.DataFrame({"mae": [1.5], "n": [3]}), {"mae": 1.5, "n": 3.0}),
        (pd.Series({"mae": 1.5}), {"mae": 1.5}),
    ],
)
def test_numbers_of_metrics(value: object, expected: dict[str, float]):
    assert numbers("m", value) == expected


@pytest.mark.parametrize("value", ["a text", {"a": "high"}, [1, 2], None, {}, pd.DataFrame({"a": [1, 2]})])
def test_metrics_that_are_no_numbers_are_named(value: object):
    with pytest.raises(PermanentError, match=r"track\.metrics: dataset m"):
        numbers("m", value)


def test_ids_are_short_legal_and_unique_whatever_nodes_are_called():
    long = "_".join(f"step_{number}" for number in range(60))
    odd = [
        "Lire-les.données_2024",
        "<lambda>",
        "3rd",
        "class",
        "tasks",
        "open_run",
        "a.b",
        "a-b",
        "名前",
        long,
        f"{long}x",
    ]
    ids = task_ids(odd, {"open_run", "tasks"})
    assert len(set(ids.values())) == len(odd)
    assert all(one.isidentifier() and one.isascii() and len(one) < 80 for one in ids.values())
    assert not set(ids.values()) & {"class", "tasks", "open_run"}
    assert task_ids(list(reversed(odd)), {"open_run", "tasks"}) == ids


def _described(memory: set[str], **nodes: tuple[list[str], list[str]]) -> Description:
    made = [
        Node(
            name=name,
            doc="",
            inputs=reads,
            outputs=writes,
            tags=(),
            namespace=name.split("__")[0] if "__" in name else None,
        )
        for name, (reads, writes) in nodes.items()
    ]
    names = {one for node in made for one in (*node.inputs, *node.outputs)}
    datasets = {
        one: Dataset(type="x", memory=one in memory, known=True, paths=(), reads=None, elsewhere=(), fault=None)
        for one in names
    }
    return Description(
        package="p", kedro="1.0.0", python="3.11", pipelines=("p",), kedro_mlflow=False, parameters={}, nodes=made,
        datasets=datasets,
    )  # fmt: skip


def test_what_shares_memory_shares_a_task_and_so_does_what_lies_between():
    described = _described({"m"}, a=([], ["f", "m"]), b=(["f"], ["g"]), c=(["m", "g"], ["h"]), d=(["h"], []))
    assert chosen(described) == "memory"
    groups = grouped(described, "memory")
    assert [(group.name, group.nodes, group.dependencies) for group in groups] == [
        ("a", ["a", "b", "c"], []),
        ("d", ["d"], ["a"]),
    ]
    assert chosen(_described(set(), a=([], ["f"]), b=(["f"], []))) == "node"


def test_the_environment_is_a_list_and_never_all():
    source = {
        "PATH": "/bin",
        "MLFLOW_TRACKING_TOKEN": "t",
        "AIRFLOW__CORE__FERNET_KEY": "k",
        "ASKED": "1",
        "OTHER": "2",
    }
    found = child_environment("http://mlflow", ["ASKED"], source)
    assert found["MLFLOW_TRACKING_URI"] == "http://mlflow"
    assert found.keys() & source.keys() == {"PATH", "MLFLOW_TRACKING_TOKEN", "ASKED"}


def test_a_tolerance_says_whether_it_is_a_share_or_an_amount():
    def bound(tolerance: object, reference: float) -> float:
        rule = {"metric": "r2", "direction": "higher", "reference": "champion", "tolerance": tolerance}
        return Rule.model_validate(rule).bound(reference)

    assert bound(0.5, -0.2) == pytest.approx(-0.3)
    assert bound({"relative": 0.5}, -0.2) == pytest.approx(-0.3)
    assert bound({"absolute": 0.05}, 0.0) == pytest.approx(-0.05)
    for wrong in ({}, {"relative": 0.1, "absolute": 0.1}, {"absolute": -1}):
        with pytest.raises(ValueError, match="tolerance"):
            bound(wrong, 1.0)
    text = Rule(metric="r2", direction="higher", reference="champion", tolerance={"absolute": 0.05}).text()
    assert text == "r2 at least champion - 0.05"


def test_descriptions_travel_as_json():
    described = _described({"m"}, a=([], ["m"]))
    assert Description.model_validate(json.loads(described.model_dump_json())) == described
