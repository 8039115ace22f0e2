"""Which nodes of a hosted project share a task. The groups never wait for each other in a circle.

Except by "namespace": what a person has grouped is left as it is, and `preflight` tells a circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from tracked_kedro.hosting.description import Description

By = Literal["node", "namespace", "memory"]


@dataclass(frozen=True)
class Group:
    """Nodes that share a task: the attributes are those that the template knows from Kedro's own groups."""

    name: str
    type: str
    nodes: list[str]
    dependencies: list[str]


def chosen(described: Description) -> By:
    """How nodes are grouped where the block says nothing: "memory" where something would be lost between tasks."""
    return "memory" if crossing(described) else "node"


def crossing(described: Description) -> list[str]:
    """Datasets in memory that one node hands to another."""
    read = {name for node in described.nodes for name in node.inputs}
    return sorted(name for name in read if described.maker(name) and described.datasets[name].memory)


def grouped(described: Description, by: By) -> list[Group]:
    """The tasks of the pipeline, each after those that it waits for."""
    if by == "namespace":
        keys = {node.name: node.namespace.split(".")[0] if node.namespace else node.name for node in described.nodes}
        kinds = {node.namespace.split(".")[0] for node in described.nodes if node.namespace}
    else:
        keys = _by_memory(described) if by == "memory" else {node.name: node.name for node in described.nodes}
        kinds = set()
    members: dict[str, list[str]] = defaultdict(list)
    for node in described.nodes:
        members[keys[node.name]].append(node.name)
    waits = _waits(described, keys)
    return [
        Group(name, "namespace" if name in kinds else "nodes", nodes, sorted(waits[name] - {name}))
        for name, nodes in members.items()
    ]


def _waits(described: Description, keys: Mapping[str, str]) -> dict[str, set[str]]:
    waits: dict[str, set[str]] = {key: set() for key in keys.values()}
    for node in described.nodes:
        for name in node.inputs:
            if maker := described.maker(name):
                waits[keys[node.name]].add(keys[maker.name])
    return waits


def _by_memory(described: Description) -> dict[str, str]:
    """Name of the group of each node: those that share memory, and whatever lies between two of a group."""
    keys = {node.name: node.name for node in described.nodes}
    order = {node.name: place for place, node in enumerate(described.nodes)}

    def join(names: Iterable[str]) -> None:
        old = {keys[name] for name in names}
        first = min((name for name, key in keys.items() if key in old), key=order.__getitem__)
        for name, key in keys.items():
            if key in old:
                keys[name] = first

    for node in described.nodes:
        for name in node.inputs:
            if (maker := described.maker(name)) and described.datasets[name].memory:
                join([node.name, maker.name])
    while circle := _circle(_waits(described, keys)):
        join([name for name, key in keys.items() if key in circle])
    return keys


def _circle(waits: Mapping[str, set[str]]) -> set[str]:
    """Groups that wait for each other; empty where none do."""
    try:
        TopologicalSorter({key: before - {key} for key, before in waits.items()}).prepare()
    except CycleError as error:
        return set(error.args[1])
    return set()
