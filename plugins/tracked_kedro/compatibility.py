"""Private names of other libraries that this one calls, each with the version it was tried with and the reason.

What a subclass overrides stands in that class: `kedro_side.config_loader` (Kedro 1.7), `kedro_side.partitions`
(kedro-datasets 9.6), `kedro_side.tracking_hook` and `kedro_side.mlflow_config` (kedro-mlflow 2.0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any


def experiment_of(config: Any) -> Any:
    """The MLflow experiment that kedro-mlflow has found or made, of a context's `mlflow` (kedro-mlflow 2.0.3).

    Asking the server for it by name would be one request more in each DAG run.
    """
    return config.tracking.experiment._experiment


def client_of(server: Any) -> Any:
    """The client with which kedro-mlflow asks its server, of `mlflow.yml`'s section `server` (kedro-mlflow 2.0.3)."""
    return server._mlflow_client


def give_client(server: Any, client: Any) -> None:
    """Let kedro-mlflow use a client where it has not set itself up: a run was open already (kedro-mlflow 2.0.3)."""
    server._mlflow_client = client


def is_tracked(pipelines: Sequence[str], config: Any) -> bool:
    """Whether `mlflow.yml` lets these pipelines be tracked (kedro-mlflow 2.0.3): its rule, not a copy of it."""
    from kedro_mlflow.framework.hooks.utils import _assert_mlflow_enabled

    return bool(_assert_mlflow_enabled(list(pipelines), config))


def store_of(client: Any) -> Any:
    """The store behind an MLflow client (MLflow 3.17): its `update_run_info` writes without reading the run before.

    The client's own `update_run` and `set_terminated` are a request more for each child run of a fleet.
    """
    return client._tracking_client.store


def download_file(repository: Any, path: str, target: Path) -> None:
    """One file of an artifact repository (MLflow 3.17), where `download_artifacts` lists its folder first."""
    repository._download_file(path, str(target))


def around_each_try(context: Callable[[Any], AbstractContextManager[None]]) -> None:
    """Have `dag.test` run each try in this process within a context that is given the try (task SDK 1.3).

    Airflow opens the log of a try in the process that it starts for it; here it starts none, and offers no place.
    """
    from airflow.sdk.execution_time import supervisor

    run = supervisor.run_task_in_process

    def run_within(ti: Any, *arguments: Any, **more: Any) -> Any:
        with context(ti):
            return run(ti, *arguments, **more)

    supervisor.run_task_in_process = run_within
