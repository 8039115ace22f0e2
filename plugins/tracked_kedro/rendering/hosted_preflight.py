"""Checks of a hosted project's block beside what its project says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tracked_kedro.hosting.description import Description
from tracked_kedro.hosting.grouping import Group
from tracked_kedro.rendering.blocks import FILE
from tracked_kedro.rendering.hosted_blocks import HostedBlock
from tracked_kedro.rendering.preflight import instead
from tracked_kedro.rendering.shown import OWN_TASKS, PROMOTION_TASKS


def problems(
    name: str, block: HostedBlock, described: Description, groups: Sequence[Group], ids: Mapping[str, str]
) -> Iterator[str]:
    """Everything that stands against rendering, each with its place and the remedy.

    Args:
        name: of the block.
        block: what it says.
        described: what its project consists of.
        groups: nodes that share a task.
        ids: of those tasks, by the name of the group.
    """
    if block.pipeline not in described.pipelines:
        yield (
            f"{FILE}: {name}.pipeline = {block.pipeline!r}: the project registers no pipeline of this name"
            f"{instead(block.pipeline, described.pipelines)}"
        )
        return
    if not described.nodes:
        yield f"{FILE}: {name}.pipeline = {block.pipeline!r}: this pipeline has no nodes"
    for dataset, about in described.datasets.items():
        if about.fault:
            yield f"{name}: dataset {dataset} ({about.type}): {about.fault}{_missing(about.fault, block)}"
    yield from _inputs(name, described)
    yield from _tracked(name, block, described)
    yield from _borders(name, block, described, groups, ids)
    yield from _circle(name, groups)
    yield from _settings(name, block, described, ids)


def _missing(fault: str, block: HostedBlock) -> str:
    if "No module named" not in fault and "dependencies" not in fault:
        return ""
    if block.environment == "own":
        return "; name the library in the project's requirements, then make environments"
    return (
        "; the library is missing in this deployment's environment: name it in the project's requirements, set "
        "`environment: own` in its block, then make environments"
    )


def _inputs(name: str, described: Description) -> Iterator[str]:
    for node in described.nodes:
        for read in node.inputs:
            if read.startswith("params:"):
                if not _has(described.parameters, read.removeprefix("params:").split(".")):
                    yield f"{name}: node {node.name} reads {read}, which the project's parameters do not have; add it"
            elif read != "parameters" and not described.maker(read) and not described.datasets[read].known:
                yield (
                    f"{name}: node {node.name} reads {read}, which no node makes and no entry of the project's catalog "
                    "holds; add an entry, or correct the name"
                )


def _has(parameters: Any, path: list[str]) -> bool:
    for part in path:
        if not isinstance(parameters, Mapping) or part not in parameters:
            return False
        parameters = parameters[part]
    return True


def _tracked(name: str, block: HostedBlock, described: Description) -> Iterator[str]:
    made = {output for node in described.nodes for output in node.outputs}
    for dataset, key in block.track.datasets().items():
        if dataset not in made:
            place = f"{FILE}: {name}.track.{key}"
            yield f"{place}: no node of {block.pipeline} makes {dataset}{instead(dataset, sorted(made))}"
    if block.promotion and not block.track.model:
        yield f"{FILE}: {name}.promotion: there is no model to promote; name it in {name}.track.model"


def _borders(
    name: str, block: HostedBlock, described: Description, groups: Sequence[Group], ids: Mapping[str, str]
) -> Iterator[str]:
    task_of = {node: ids[group.name] for group in groups for node in group.nodes}
    for node in described.nodes:
        for read in node.inputs:
            maker = described.maker(read)
            if maker is None or not described.datasets[read].memory or task_of[maker.name] == task_of[node.name]:
                continue
            yield (
                f"{FILE}: {name}.group_by = {block.group_by!r}: dataset {read} would be lost between tasks: it is kept "
                f"in memory, made by node {maker.name} (task {task_of[maker.name]}) and read by {node.name} (task "
                f"{task_of[node.name]}); leave group_by out, or give {read} an entry in the project's catalog"
            )


def _circle(name: str, groups: Sequence[Group]) -> Iterator[str]:
    try:
        TopologicalSorter({group.name: group.dependencies for group in groups}).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        yield (
            f"{FILE}: {name}.group_by = 'namespace': tasks would wait for each other in a circle: {circle}; leave "
            "group_by out"
        )


def _settings(name: str, block: HostedBlock, described: Description, ids: Mapping[str, str]) -> Iterator[str]:
    own = {*OWN_TASKS, *(("register",) if block.track.model else ()), *(PROMOTION_TASKS if block.promotion else ())}
    tasks = {*ids.values(), *own}
    for key, named in (("tasks", block.tasks), ("warnings", block.warnings), ("train", block.train)):
        for task in named:
            if task not in tasks:
                yield f"{FILE}: {name}.{key}.{task}: the DAG has no such task{instead(task, sorted(tasks))}"
    tags = {tag for node in described.nodes for tag in node.tags}
    for tag in block.tagged:
        if tag not in tags:
            yield f"{FILE}: {name}.tagged.{tag}: no node of the pipeline has this tag{instead(tag, sorted(tags))}"
