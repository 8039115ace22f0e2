"""A block of airflow.yml for a project that nobody has written one for: what its data sets look like is tracked."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tracked_kedro.hosting.description import Description

_METRICS = re.compile(r"metric|score|error|accuracy", re.I)
_PICTURES = re.compile(r"matplotlib|plotly|images|Image|html", re.I)
_MODELS = re.compile(r"model$|regressor|classifier|estimator", re.I)


def proposed(name: str, project: str, described: Description | None) -> str:
    """The block as YAML.

    Args:
        name: of the block.
        project: its folder, as the block names it.
        described: what it consists of; None where that needs an environment of its own first.
    """
    block: dict[str, object] = {"project": project}
    if described is None:
        block["environment"] = "own"
        return yaml.safe_dump({name: block}, sort_keys=False)
    made = sorted({output for node in described.nodes for output in node.outputs})
    kinds = {one: described.datasets[one].type for one in made if one in described.datasets}
    track: dict[str, object] = {}
    if metrics := [one for one, kind in kinds.items() if _METRICS.search(one) and not _PICTURES.search(kind)]:
        track["metrics"] = metrics
    if pictures := [one for one, kind in kinds.items() if _PICTURES.search(kind)]:
        track["artifacts"] = pictures
    if models := [one for one, kind in kinds.items() if _MODELS.search(one) and "json" not in kind.lower()]:
        track["model"] = {"dataset": models[0], "name": f"{name}-{models[0]}".replace("_", "-").replace(".", "-")}
    text = yaml.safe_dump({name: block}, sort_keys=False, allow_unicode=True)
    if track:
        lines = yaml.safe_dump(track, default_flow_style=None, sort_keys=False, allow_unicode=True, width=1000)
        text += "  track:\n" + "".join(f"    {line}\n" for line in lines.splitlines())
    return text


def missing(folder: Path, described: Description) -> list[str]:
    """What a person has yet to do before the first run, one sentence each."""
    found = []
    for name, about in described.datasets.items():
        read = [node.name for node in described.nodes if name in node.inputs]
        if read and described.maker(name) is None:
            found += [f"{name}: put {path} into {folder}" for path in about.paths if not (folder / path).exists()]
        if about.fault:
            found.append(f"{name}: {about.fault}")
    return found
