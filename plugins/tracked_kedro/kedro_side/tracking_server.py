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
from tracked_kedro.kedro_side.sessions import quiet_kedro

# Both functions may be asked by many threads at once.
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

        try:
            config = _loader(project, os.environ.get("KEDRO_ENV"), pipeline)["mlflow"]
        except MissingConfigException:
            return pipeline
        return str(config.get("tracking", {}).get("experiment", {}).get("name") or pipeline)


@cache
def _server(project: Path, environment: str | None) -> dict[str, Any]:
    """The section `server` of mlflow.yml; empty where there is no project, as on a machine that has Airflow alone."""
    if not (project / "pyproject.toml").is_file():
        return {}
    from kedro.config import MissingConfigException

    try:
        return _loader(project, environment)["mlflow"].get("server") or {}
    except MissingConfigException:
        return {}


@cache
def _connect(project: Path, environment: str | None) -> None:
    if not any(_server(project, environment).values()):
        return
    from kedro.framework.context import KedroContext
    from pluggy import PluginManager

    from tracked_kedro.kedro_side.mlflow_config import ServerConfig

    loader = _loader(project, environment)
    # Without the hooks of a session, which would make the experiment of a pipeline that nobody runs here.
    context = KedroContext(project, loader, environment, _package(project), PluginManager("kedro"))
    ServerConfig.read(loader["mlflow"]).setup(context)


@cache
def _loader(project: Path, environment: str | None, pipeline: str | None = None) -> Any:
    _package(project)
    from kedro.framework.project import settings

    source = str(project / settings.CONF_SOURCE)
    asked = {"runtime_params": {names.PIPELINE: pipeline}} if pipeline else {}
    return settings.CONFIG_LOADER_CLASS(source, env=environment, **asked, **settings.CONFIG_LOADER_ARGS)


@cache
def _package(project: Path) -> str:
    """Name of the project's package; from now on Kedro knows the project's settings."""
    quiet_kedro()
    from kedro.framework.startup import bootstrap_project

    return bootstrap_project(project).package_name
