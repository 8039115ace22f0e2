"""Files that nodes of a hosted project hand on under another name: one entry writes what another one reads.

Kedro does not know of these; a DAG must, or the reader may run first. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class AnyNode(Protocol):
    """A node of Kedro."""

    name: str
    inputs: list[str]
    outputs: list[str]


def handed_over(nodes: Iterable[AnyNode], paths: Mapping[str, set[str]]) -> dict[str, str]:
    """The output whose file an input reads, by the name of the input.

    What is read before it is written is no such thing: that is the file of an earlier run.

    Args:
        nodes: of the pipeline.
        paths: relative ones of each dataset.
    """
    every = list(nodes)
    makers = {base(name): node for node in every for name in node.outputs}
    outputs = [name for node in every for name in node.outputs]
    found = {}
    for name in sorted({name for node in every for name in node.inputs if base(name) not in makers}):
        readers = {node.name for node in every if name in node.inputs}
        for output in outputs:
            if paths.get(name, set()) & paths.get(output, set()) and not readers & _before(
                makers[base(output)], makers
            ):
                found[name] = output
    return found


def base(dataset: str) -> str:
    """Name of a dataset without Kedro's transcoding: `table@pandas` and `table@spark` are one."""
    return dataset.partition("@")[0]


def _before(node: AnyNode, makers: Mapping[str, AnyNode]) -> set[str]:
    """Names of a node and of all that it waits for."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.name not in found:
            found.add(one.name)
            waiting += [makers[base(name)] for name in one.inputs if base(name) in makers]
    return found
