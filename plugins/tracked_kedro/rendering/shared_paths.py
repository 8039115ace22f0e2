"""Datasets that tasks hand to each other by a path which every run has: two runs would overwrite each other's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from tracked_kedro.kedro_side.locations import run_folder
from tracked_kedro.rendering import grouping
from tracked_kedro.rendering.blocks import Block


def between_tasks(
    blocks: Mapping[str, Block], pipelines: Mapping[str, Pipeline], catalog: DataCatalog, run_key: str
) -> Iterator[str]:
    """A sentence for each such dataset, with the remedy.

    Args:
        blocks: of airflow.yml, by pipeline.
        pipelines: the registered ones.
        catalog: of the project, made for the run of this key.
        run_key: a made-up one: the path of what belongs to a run leads through its folder.
    """
    for name, block in blocks.items():
        folder = run_folder(name, run_key)
        groups = grouping.grouped(pipelines[name], catalog, block.group_by)
        task_of = {node: grouping.task_id(group) for group in groups for node in group.nodes}
        makers = {output: task_of[node.name] for node in pipelines[name].nodes for output in node.outputs}
        crossing = {
            read
            for node in pipelines[name].nodes
            for read in node.inputs
            if read in makers and makers[read] != task_of[node.name]
        }
        for dataset in sorted(crossing):
            path = _path(dataset, catalog)
            if path is not None and folder.rpartition("://")[2].lstrip("/") not in path:
                yield (
                    f"{name}: dataset {dataset} goes from task to task by {path}, which all runs share: they overwrite "
                    f"each other there, and another worker may not have it; write "
                    f'"${{run_folder:{name},${{runtime_params:run_key,null}}}}/…" in its entry'
                )


def _path(dataset: str, catalog: DataCatalog) -> str | None:
    kept = catalog.get(dataset) if dataset in catalog else None
    return next((str(found) for key in ("_filepath", "_path") if (found := getattr(kept, key, None))), None)
