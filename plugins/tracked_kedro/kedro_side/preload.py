"""Imports what tasks need once, in the process that forks them, so that no task imports it again.

Importing MLflow, Kedro and the project's libraries takes a task two to four seconds, most of what a small one takes at
all. The scheduler does it as it starts, for LocalExecutor's tasks are its forks; Celery's workers do it through
`tracked_kedro.dag.celery_config`. RETRAINING_PRELOAD=0 switches it off.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from airflow.listeners import hookimpl

from tracked_kedro.kedro_side import discovery
from tracked_kedro.kedro_side.locations import project_path
from tracked_kedro.kedro_side.project_config import bootstrapped, config_loader

log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: Any) -> None:
    """Airflow's call as a service starts; the services are told apart by their command alone."""
    # Tasks are forks of the scheduler that tell of themselves here too.
    if sys.argv[1:2] == ["scheduler"] and type(component).__name__ == "Job":
        preload()


def preload() -> None:
    """Import MLflow, Kedro, and whatever the project's pipelines and catalog import; then warm up what they offer.

    That is the function `warm_up` of a pipeline's own `warm_up.py`, if any, which uses once the libraries that load or
    compute much at their first use. The project's own modules are forgotten again: each task imports them anew, so that
    changed code is used without a restart. Never raises; what cannot be imported here, a task will report.
    """
    if os.environ.get("RETRAINING_PRELOAD", "1") == "0":
        return
    begin = time.monotonic()
    try:
        _import_all()
    except Exception:
        log.warning("Not everything could be imported ahead of the tasks", exc_info=True)
    else:
        log.info("Imported MLflow, Kedro and the project's libraries in %.1f s", time.monotonic() - begin)


def _import_all() -> None:
    package = bootstrapped(project_path())
    import fsspec
    import mlflow.pyfunc
    import mlflow.store.artifact.mlflow_artifacts_repo  # noqa: F401
    from kedro.framework.project import pipelines
    from kedro.framework.session import KedroSession
    from kedro.io.core import parse_dataset_definition

    from tracked_kedro.kedro_side.config_loader import ConfigLoader

    try:
        dict(pipelines)
        KedroSession.create(project_path=project_path(), save_on_close=False)  # imports the plugins' hooks
        loader = config_loader(project_path())
        if isinstance(loader, ConfigLoader):
            loader.read_ahead()
        for definition in _definitions(loader["catalog"]):
            parse_dataset_definition(dict(definition))
            address = str(definition.get("filepath") or definition.get("path") or "")
            if "://" in address:
                fsspec.get_filesystem_class(address.partition("://")[0])
        for warm_up in discovery.warm_ups(f"{package}.pipelines"):
            warm_up()
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def _definitions(node: Any) -> Iterator[dict[str, Any]]:
    """Definitions of datasets, also those inside others."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node
        for child in node.values():
            yield from _definitions(child)
