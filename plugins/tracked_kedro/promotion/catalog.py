"""Catalog entries of the nodes register, decide and promote, for each pipeline whose block has `registered_model`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracked_kedro.kedro_side.locations import run_folder
from tracked_kedro.names import APPROVAL, REGISTERED_MODEL, RUN_KEY

_ARTIFACT = "tracked_kedro.kedro_side.artifacts.MlflowArtifactDataset"
_DATASETS = "tracked_kedro.promotion.datasets"


def promotion_entries(blocks: Mapping[str, Any], runtime_params: Mapping[str, Any]) -> dict[str, Any]:
    """Entries by dataset name.

    Args:
        blocks: of `airflow.yml`, by pipeline; each that promotes names its registered model.
        runtime_params: `run_key` names the run's folder, `approval` says who approved.

    >>> sorted(promotion_entries({"rents": {"registered_model": {"name": "rents"}}}, {}))[:3]
    ['rents_approval', 'rents_challenger', 'rents_champion']
    """
    found: dict[str, Any] = {}
    for name, block in blocks.items():
        settings = block.get(REGISTERED_MODEL) if isinstance(block, Mapping) else None
        if isinstance(settings, Mapping) and isinstance(settings.get("name"), str):
            folder = run_folder(name, runtime_params.get(RUN_KEY))
            found |= _entries(name, settings["name"], folder, runtime_params.get(APPROVAL) or {})
    return found


def _entries(pipeline: str, model: str, folder: str, approval: Mapping[str, str]) -> dict[str, Any]:
    def artifact(kind: str, file: str) -> dict[str, Any]:
        stored = {"type": kind, "filepath": f"{folder}/{file}"}
        return {"type": _ARTIFACT, "artifact_path": "promotion", "dataset": stored}

    return {
        # What the served model reads, one file each.
        f"{pipeline}_model_files": {
            "type": "tracked_kedro.kedro_side.partitions.OptionalPartitionedDataset",
            "path": f"{folder}/model_files",
            "overwrite": True,
            "dataset": "tracked_kedro.kedro_side.whole_files.BytesDataset",
        },
        # Of a pipeline that makes it: what it is about to learn from.
        f"{pipeline}_training_inputs": {"type": "json.JSONDataset", "filepath": f"{folder}/training_inputs.json"},
        f"{pipeline}_evidence": {"type": "json.JSONDataset", "filepath": f"{folder}/evidence.json"},
        f"{pipeline}_challenger": {
            "type": "tracked_kedro.promotion.challenger.MlflowChallengerDataset",
            "pipeline": pipeline,
            "model": model,
            "filepath": f"{folder}/challenger.json",
        },
        f"{pipeline}_champion": {"type": f"{_DATASETS}.MlflowChampionDataset", "model": model},
        f"{pipeline}_decision": artifact("json.JSONDataset", "decision.json"),
        f"{pipeline}_decision_text": artifact("text.TextDataset", "decision.md"),
        f"{pipeline}_decision_tags": {"type": "tracked_kedro.kedro_side.run_facts.MlflowRunTagsDataset"},
        # Who approved, and why: `promote` gets it from Airflow's task `approve`.
        f"{pipeline}_approval": {"type": "MemoryDataset", "data": dict(approval)},
        f"{pipeline}_promotion": {"type": f"{_DATASETS}.MlflowPromotionDataset"},
    }
