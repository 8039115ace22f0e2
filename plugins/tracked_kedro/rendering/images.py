"""The image of a hosted project's pods: what its block names goes into the `pod_override` of each of its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Container of Airflow's own in a pod of KubernetesExecutor.
_BASE = "base"


def with_image(
    image: str, settings: Mapping[str, Any], tasks: Mapping[str, Iterable[str]], tagged: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings of tasks by id, with the image where a task names none itself.

    Args:
        image: Airflow with this library, the project's folder and its environment.
        settings: of tasks, as the block has them.
        tasks: ids of all that need the project, with the tags of their nodes.
        tagged: settings by tag.

    >>> with_image("flights:1", {}, {"train": ()}, {})
    {'train': {'pod_override': {'spec': {'containers': [{'name': 'base', 'image': 'flights:1'}]}}}}
    """
    found = {task: dict(one) for task, one in settings.items()}
    for task, tags in tasks.items():
        of_tags = [one["pod_override"] for tag, one in tagged.items() if tag in tags and one.get("pod_override")]
        own = found.setdefault(task, {})
        pod = own.get("pod_override") or (of_tags[-1] if of_tags else {})
        spec = pod.get("spec") or {}
        containers = [dict(one) for one in spec.get("containers") or ()]
        if not any(one.get("name") == _BASE for one in containers):
            containers.append({"name": _BASE})
        named = [{**one, "image": one.get("image", image)} if one["name"] == _BASE else one for one in containers]
        own["pod_override"] = {**pod, "spec": {**spec, "containers": named}}
    return found
