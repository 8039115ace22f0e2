"""The tracking server of the tasks, for a process that runs no Kedro session: a page, a button, `reconcile`.

A task goes by the project's `mlflow.yml`, and by MLFLOW_TRACKING_URI where that names no server. So does this; the
project is asked once a process, and where it names none, MLflow is not even imported.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

from tracked_kedro import names
from tracked_kedro.kedro_side.locations import project_path
from tracked_kedro.kedro_side.project_config import bootstrapped, config_loader

# These functions may be asked by many threads at once.
_asking = threading.RLock()


def address() -> str | None:
    """Address of the tracking server that the project's mlflow.yml names; None leaves it to MLFLOW_TRACKING_URI."""
    with _asking:
        return _server(project_path(), os.environ.get("KEDRO_ENV")).get("mlflow_tracking_uri")


def connect() -> None:
    """Point MLflow to the server that mlflow.yml names, with its credentials; where it names none, leave it as it is.

    To be called before the process's first call of MLflow:

        tracking_server.connect()
        client = MlflowClient()
    """
    with _asking:
        _connect(project_path(), os.environ.get("KEDRO_ENV"))


def experiment(pipeline: str) -> str:
    """Name of the experiment that a pipeline's runs go to: what the project's mlflow.yml says, else the pipeline's."""
    with _asking:
        project = project_path()
        if not (project / "pyproject.toml").is_file():
            return pipeline
        from kedro.config import MissingConfigException

        bootstrapped(project)
        try:
            # A loader of its own: what a value takes from runtime parameters, it takes from the loader made last.
            config = config_loader(project, {names.PIPELINE: pipeline}, environment=os.environ.get("KEDRO_ENV"))[
                "mlflow"
            ]
        except MissingConfigException:
            return pipeline
        return str(config.get("tracking", {}).get("experiment", {}).get("name") or pipeline)


def experiments() -> dict[str, frozenset[str]]:
    """DAGs by the experiment that their runs go to, of the project's `airflow.yml`; empty where there is no project.

    Read anew each time: a pipeline may have come. Whoever asks often keeps it for a while.
    """
    with _asking:
        project = project_path()
        if not (project / "pyproject.toml").is_file():
            return {}
        from kedro.config import MissingConfigException

        try:
            bootstrapped(project)
            blocks = config_loader(project, environment=os.environ.get("KEDRO_ENV"))["airflow"]
        except MissingConfigException:
            return {}
        found: dict[str, set[str]] = {}
        for dag in sorted(blocks.keys() - {"default"}):
            found.setdefault(experiment(dag), set()).add(dag)
    return {name: frozenset(dags) for name, dags in found.items()}


@cache
def _server(project: Path, environment: str | None) -> dict[str, Any]:
    """The section `server` of mlflow.yml; empty where there is no project, as on a machine that has Airflow alone."""
    if not (project / "pyproject.toml").is_file():
        return {}
    from kedro.config import MissingConfigException

    try:
        bootstrapped(project)
        return config_loader(project, environment=environment)["mlflow"].get("server") or {}
    except MissingConfigException:
        return {}


@cache
def _connect(project: Path, environment: str | None) -> None:
    if not any(_server(project, environment).values()):
        return
    from kedro.framework.context import KedroContext
    from pluggy import PluginManager

    from tracked_kedro.kedro_side.mlflow_config import ServerConfig

    package = bootstrapped(project)
    # Not that of `_server`: another may have been made since, and Kedro's resolvers are of the newest.
    loader = config_loader(project, environment=environment)
    # Without the hooks of a session, which would make the experiment of a pipeline that nobody runs here.
    context = KedroContext(project, loader, environment, package, PluginManager("kedro"))
    ServerConfig.read(loader["mlflow"]).setup(context)
