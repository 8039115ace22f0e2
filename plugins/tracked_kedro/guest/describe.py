"""What a hosted project consists of, as plain data: all that rendering and its checks need to know."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.catalog import is_parameter, resolved
from tracked_kedro.guest.handover import handed_over
from tracked_kedro.guest.placement import elsewhere, paths
from tracked_kedro.guest.project import has_mlflow_yml, missing, opened
from tracked_kedro.guest.request import Request


def describe(request: Request) -> dict[str, Any]:
    """The pipeline, its datasets and the parameters of a project, see `hosting.description` for the fields.

    Raises:
        PermanentError: the project cannot be opened, or has no such pipeline.
    """
    from kedro import __version__
    from kedro.framework.project import PACKAGE_NAME, pipelines, settings

    folder = Path(request.project)
    with opened(folder, request.environment) as session:
        from kedro.framework import project

        context = session.load_context()
        try:
            known = list(pipelines)
        except ImportError as error:
            raise missing(error) from error
        described = {
            "package": project.PACKAGE_NAME or PACKAGE_NAME,
            "kedro": __version__,
            "python": platform.python_version(),
            "pipelines": known,
            "kedro_mlflow": has_mlflow_yml(folder, settings.CONF_SOURCE),
            "parameters": _plain(_optional(context.config_loader, "parameters")),
            "nodes": [],
            "datasets": {},
        }
        if request.pipeline in known:
            pipeline = pipelines[request.pipeline]
            described["nodes"] = [_node(node) for node in pipeline.nodes]
            described["datasets"] = _datasets(context, pipeline)
    return described


def _node(node: Any) -> dict[str, Any]:
    return {
        "name": node.name,
        "doc": getattr(node.func, "__doc__", None) or "",
        "inputs": list(node.inputs),
        "outputs": list(node.outputs),
        "tags": sorted(node.tags),
        "namespace": node.namespace,
    }


def _datasets(context: Any, pipeline: Any) -> dict[str, Any]:
    from kedro.io import MemoryDataset

    names = [name for name in pipeline.datasets() if not is_parameter(name)]
    configured = resolved(_optional(context.config_loader, "catalog"), names)
    catalog = context.catalog
    handed = handed_over(pipeline.nodes, {name: set(paths(config)) for name, config in configured.items()})
    found: dict[str, Any] = {}
    for name in sorted(names):
        config, fault, kept = configured.get(name), None, None
        if name in catalog:
            try:
                kept = catalog.get(name)
            except Exception as error:  # noqa: BLE001 - told with all others
                fault = _first_sentence(error)
        found[name] = {
            "type": str(config.get("type", "")) if isinstance(config, Mapping) else type(kept).__name__,
            "memory": fault is None and (kept is None or isinstance(kept, MemoryDataset)),
            # A hook of the project may have put it there.
            "known": config is not None or kept is not None,
            "paths": sorted(set(paths(config))),
            "reads": handed.get(name),
            "elsewhere": sorted(set(elsewhere(config))),
            "fault": fault,
        }
    return found


def _first_sentence(error: Exception) -> str:
    # What Kedro adds tells how to install, which is told for this project's environment elsewhere.
    return " ".join(str(error).split()).partition(". Please")[0].rstrip(".")


def _optional(loader: Any, key: str) -> Any:
    from kedro.config import MissingConfigException

    try:
        return loader[key]
    except MissingConfigException:
        return {}
    except ValueError as error:
        raise PermanentError(" ".join(str(error).split())) from error


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
