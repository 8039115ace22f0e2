"""A hook that puts what a hosted project's pipeline makes into the folder of this DAG run."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl

from tracked_kedro.guest.catalog import is_parameter, resolved
from tracked_kedro.guest.handover import handed_over
from tracked_kedro.guest.placement import paths, placed


class Placement:
    """Changes paths before the catalog is made of them.

    Args:
        pipeline: the registered pipeline whose nodes share the folder.
        folder: of this DAG run's data, or its address.
    """

    def __init__(self, pipeline: str, folder: str) -> None:
        self._pipeline, self._folder = pipeline, folder

    @hook_impl(trylast=True)
    def after_context_created(self, context: Any) -> None:
        """Last of all, so that hooks of the project have had their say."""
        from kedro.framework.project import pipelines

        pipeline = pipelines[self._pipeline]
        catalog = context.config_loader["catalog"]
        configured = resolved(catalog, {name for name in pipeline.datasets() if not is_parameter(name)})
        made = {name for node in pipeline.nodes for name in node.outputs}
        made |= handed_over(pipeline.nodes, {name: set(paths(config)) for name, config in configured.items()}).keys()
        context.config_loader["catalog"] = placed(catalog, configured, made, self._folder)
