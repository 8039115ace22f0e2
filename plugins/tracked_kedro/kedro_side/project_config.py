"""The Kedro project in a process that Kedro's command line did not start: set up, and its configuration read.

The one place that makes a configuration loader; a session's is made by Kedro. Nothing is remembered here: Kedro's
resolvers are the process's and belong to the loader that was made last, and a process that forks tasks must not hand
them configuration that has changed since.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kedro.config import AbstractConfigLoader

LOGGING = Path(__file__).with_name("logging_airflow.yml")


def quiet_kedro() -> None:
    """Kedro configures logging when it is imported; in Airflow's processes, Airflow's handlers must stay in place."""
    os.environ["KEDRO_LOGGING_CONFIG"] = str(LOGGING)


def bootstrapped(project: Path) -> str:
    """Name of the project's package; from now on Kedro knows the project's settings. Takes 0.1 CPU-seconds."""
    quiet_kedro()
    from kedro.framework.startup import bootstrap_project

    return bootstrap_project(project).package_name


def config_loader(
    project: Path,
    runtime_params: dict[str, Any] | None = None,
    *,
    environment: str | None = None,
    conf_source: str | None = None,
) -> AbstractConfigLoader:
    """A new loader of the class, and with the arguments, that the settings of the bootstrapped project name.

    Args:
        project: its folder.
        runtime_params: to resolve with; without them, it is configuration as it is written.
        environment: of Kedro; where it is left out, KEDRO_ENV.
        conf_source: folder of the configuration, where it is not the project's own.

    Raises:
        NotLiteralError: a runtime parameter holds `${…}`.
    """
    from kedro.framework.project import settings

    made: AbstractConfigLoader = settings.CONFIG_LOADER_CLASS(
        conf_source or str(project / settings.CONF_SOURCE),
        env=environment or os.environ.get("KEDRO_ENV"),
        runtime_params=runtime_params,
        **settings.CONFIG_LOADER_ARGS,
    )
    return made
