"""Kedro hook: parameters that cannot be used are refused before anything else is done."""

from __future__ import annotations

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines

from tracked_kedro.kedro_side.parameter_check import check_parameters
from tracked_kedro.kedro_side.running_project import is_asked_for, pipelines_package


class ParametersHook:
    """Refuses parameters that cannot be used before a tracking server or a file is touched."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check the raw values: Kedro's own property would turn some of them into models already."""
        if is_asked_for():
            check_parameters(context.config_loader["parameters"], pipelines_package(), read=_read_by_pipelines)


def _read_by_pipelines() -> set[str]:
    """Top-level keys of the parameters that nodes take as input."""
    inputs = {name for pipeline in pipelines.values() for name in pipeline.inputs()}
    return {name.removeprefix("params:").split(".")[0] for name in inputs if name.startswith("params:")}
