"""Kedro sessions as Airflow tasks need them: opened by address, fed with runtime parameters, one thread."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tracked_kedro.kedro_side.locations import project_path
from tracked_kedro.kedro_side.project_config import bootstrapped, config_loader
from tracked_kedro.kedro_side.quiet_runner import without_advice
from tracked_kedro.names import PIPELINE


@dataclass(frozen=True)
class Session:
    """What a task asks of Kedro: a pipeline and runtime parameters. KEDRO_ENV names the environment."""

    pipeline: str
    runtime_params: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _project(self) -> Path:
        """The project's path, bootstrapped: once, for that takes 0.1 CPU-seconds each time."""
        path = project_path()
        bootstrapped(path)
        return path

    def bootstrap(self) -> None:
        """Make the project's settings and pipelines known to this process."""
        _ = self._project

    @contextmanager
    def _opened(self):
        path = self._project
        _give_memory_back()
        without_advice()
        from kedro.framework.session import KedroSession

        # MLflow would attach the next run of this process to it, whatever was asked for.
        os.environ.pop("MLFLOW_RUN_ID", None)
        with KedroSession.create(project_path=path, runtime_params=self._parameters, save_on_close=False) as session:
            yield session

    @property
    def _parameters(self) -> dict[str, Any]:
        return {**self.runtime_params, PIPELINE: self.pipeline}

    def connect(self) -> None:
        """Point MLflow to the server that the project's mlflow.yml names, with its credentials, where it names one.

        To be called in each process before the parent run is resumed: kedro-mlflow does it with the session's context,
        but leaves everything as it is where a run is already open.
        """
        loader = config_loader(self._project, self._parameters)
        if any((loader["mlflow"].get("server") or {}).values()):
            self.load_context()

    def load_context(self):
        """The project's context; loading it checks the parameters and finds or makes the experiment."""
        with self._opened() as session:
            return session.load_context()

    def load_dataset(self, name: str) -> Any:
        """A dataset of the project's catalog."""
        from tracked_kedro.kedro_side.config_loader import entries_of

        context = self.load_context()
        with entries_of(None if _has_hooks_of_its_own() else frozenset({name})):
            return context.catalog.load(name)

    def run(self, nodes: Sequence[str] = (), namespace: str | None = None) -> dict[str, Any]:
        """Run some nodes, or a namespace, of the pipeline, one node after the other in this thread.

        Returns:
            The datasets that they made and none of them read, by name; `load()` gives the value of one.
        """
        with self._opened() as session:
            from kedro.runner import SequentialRunner  # not earlier: Kedro would configure its own logging

            from tracked_kedro.kedro_side.config_loader import entries_of

            with entries_of(self._datasets(nodes, namespace)):
                return session.run(
                    pipeline_names=[self.pipeline],
                    node_names=list(nodes) or None,
                    namespaces=[namespace] if namespace else None,
                    runner=SequentialRunner(),
                )

    def _datasets(self, nodes: Sequence[str], namespace: str | None) -> frozenset[str] | None:
        """Names of the datasets that the catalog needs for these nodes; None, all, where more than nodes may ask."""
        from kedro.framework.project import pipelines

        pipelines.set_requested([self.pipeline])
        whole = pipelines.get(self.pipeline)
        # kedro-mlflow's PipelineML logs what its other half reads; of no pipeline Kedro says which there are.
        if whole is None or hasattr(whole, "inference") or _has_hooks_of_its_own():
            return None
        chosen = whole.filter(node_names=list(nodes) or None, node_namespaces=[namespace] if namespace else None)
        return frozenset(chosen.datasets())


def _has_hooks_of_its_own() -> bool:
    """Whether the project's settings name hooks: they may read any entry of the catalog."""
    from kedro.framework.project import settings

    return bool(settings.HOOKS)


def _give_memory_back() -> None:
    """Return to the system what earlier sessions of this process have freed.

    Under `airflow dags test` one process runs all tasks, and glibc keeps what they free: a quarter of its memory.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def nested(parameters: dict[str, Any]) -> dict[str, Any]:
    """{"a.b": 1} as {"a": {"b": 1}}, the shape in which Kedro merges runtime parameters."""
    tree: dict[str, Any] = {}
    for path, value in parameters.items():
        *parents, leaf = path.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return tree
