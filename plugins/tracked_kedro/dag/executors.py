"""Which executor runs a task, and in what pod: said once in airflow.yml, for a laptop and for a cluster."""

from __future__ import annotations

from typing import Any

from airflow.sdk import conf


def executor(name: str) -> str | None:
    """The executor, where this deployment has it; else None, which is the default one.

    Airflow refuses a DAG that names an executor it has not got, so that the file would not load on a laptop.
    """
    return name if name in _configured() else None


def pod_override(pod: dict[str, Any]) -> Any:
    """The pod as the Kubernetes executor wants it: its client's object, where that executor is in use.

    Elsewhere the plain data, because importing the client takes half a second of each parsing of the DAG file.
    """
    if "KubernetesExecutor" not in _configured():
        return pod
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    return PodGenerator.deserialize_model_dict(pod)


def _configured() -> set[str]:
    # One entry may be written "alias:module.path.Class"; each of its names counts.
    entries = conf.get("core", "executor").split(",")
    return {part for entry in entries for word in entry.strip().split(":") for part in (word, word.split(".")[-1])}
