"""Which Kedro nodes run together in one Airflow task: as kedro-airflow does it, for the template and for the checks."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from kedro.io import DataCatalog
from kedro.pipeline import GroupedNodes, Pipeline
from kedro_airflow.grouping import group_memory_nodes
from slugify import slugify


def grouped(pipeline: Pipeline, catalog: DataCatalog, by: str) -> list[GroupedNodes]:
    """The tasks of a pipeline: one per "node", per top-level "namespace", or per group that shares "memory"."""
    if by == "memory":
        return group_memory_nodes(catalog, pipeline)
    return pipeline.group_nodes_by("namespace" if by == "namespace" else None)


def options(by: str) -> list[str]:
    """The same choice as options of `kedro airflow create`."""
    return [] if by == "node" else ["--group-by", by]


def task_id(group: GroupedNodes) -> str:
    """The id that the template gives to the task of a group."""
    return slugify(group.name, separator="_")


def cycle(groups: list[GroupedNodes]) -> list[str] | None:
    """Names of groups that wait for each other in a circle, None where there is none."""
    try:
        TopologicalSorter({group.name: set(group.dependencies) for group in groups}).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return None
