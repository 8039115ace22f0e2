"""Registering and judging a model that a hosted project has stored: the steps of `nodes`, on MLflow's own terms.

The evidence is what the run has measured; the rules come from the project's block in airflow.yml.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
import mlflow
from mlflow.entities import Run

from tracked_kedro.errors import PermanentError
from tracked_kedro.promotion import nodes
from tracked_kedro.promotion.datasets import MlflowChampionDataset, MlflowPromotionDataset, read_version
from tracked_kedro.promotion.evidence import Evidence
from tracked_kedro.promotion.registry import Registry
from tracked_kedro.promotion.rules import Promotion
from tracked_kedro.promotion.versions import make_version


def register(run: Run, model: str, stored: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """Register the model that lies in a folder, or at an address, as a new version.

    Args:
        run: the parent run, which is active; what it has measured is the evidence.
        model: name of the registered model.
        stored: an MLflow model.
        tags: of the version.

    Returns:
        {"model": its name, "version": its number, "reason": None}

    Raises:
        PermanentError: nothing is stored there.
    """
    filesystem, path = fsspec.core.url_to_fs(stored)
    if not filesystem.exists(f"{path}/MLmodel"):
        raise PermanentError(f"{model}: this DAG run has stored no model; clear the task that makes it")
    files = {str(file)[len(path) :].lstrip("/"): filesystem.cat_file(file) for file in sorted(filesystem.find(path))}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(name.encode() + hashlib.sha256(content).digest())

    def write(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    metrics = {key: value for key, value in run.data.metrics.items() if math.isfinite(value)}
    evidence = Evidence(metrics=metrics, settings=dict(run.data.params))
    number = make_version(model, run, digest.hexdigest()[:16], write, evidence, tags)
    return {"model": model, "version": number, "reason": None}


def decide(challenger: Mapping[str, Any], promotion: Promotion) -> dict[str, Any]:
    """Judge a version by the rules beside the champion; the run keeps the decision.

    Args:
        challenger: what `register` has returned.
        promotion: the rules.
    """
    version = read_version(Registry(challenger["model"]).version(challenger["version"]))
    champion = MlflowChampionDataset(challenger["model"]).load()
    decision, text, tags = nodes.decide(challenger, version.evidence.model_dump(mode="json"), champion, promotion)
    mlflow.log_dict(decision, "promotion/decision.json")
    mlflow.log_text(text, "promotion/decision.md")
    mlflow.set_tags(tags)
    return decision


def promote(decision: Mapping[str, Any], promotion: Promotion, approval: Mapping[str, str]) -> dict[str, Any]:
    """Make the version champion, if the rules allow it and the mode, or a person, does too.

    Args:
        decision: what `decide` has returned.
        promotion: its mode says whether a person has to approve.
        approval: who has approved, and why.
    """
    order = nodes.promote(decision, promotion, approval)
    MlflowPromotionDataset().save(order)
    return order
