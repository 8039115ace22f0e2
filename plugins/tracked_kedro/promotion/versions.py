"""Making a version of a registered model: its files go to the run's artifacts, signed, then it is registered."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import mlflow
from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from tracked_kedro.names import MODEL_VERSION_TAG
from tracked_kedro.promotion.evidence import EVIDENCE_FILE, Evidence
from tracked_kedro.promotion.registry import Registry, RegistryError
from tracked_kedro.serving.signing import is_ours, signed

log = logging.getLogger(__name__)

# Tags of the parent run that its version repeats, so that each can be found from the other.
_RUN_TAGS = ("airflow.dag_id", "airflow.dag_run_id", "simulated")


def make_version(
    model: str,
    run: Run,
    digest: str,
    write: Callable[[Path], None],
    evidence: Evidence,
    tags: Mapping[str, str],
) -> int:
    """Upload a model's files to its run, make the version of them, and tell the run.

    Args:
        model: name of the registered model.
        run: the parent run, which is active.
        digest: hash of all that makes the model.
        write: makes the model in a new folder.
        evidence: kept beside the model.
        tags: of the version, besides those that every version has.

    Returns:
        Its number; that of the same files of the same run where they are registered already.

    Raises:
        RegistryError: the run keeps its artifacts where no version is loaded from.
    """
    registry = Registry(model)
    source = f"{run.info.artifact_uri}/model/{digest}"
    if not is_ours(source):
        raise RegistryError(
            f"{model}: this run keeps its artifacts outside this deployment's, where no version is loaded "
            "from; have the operator list their place in MODEL_LOCATIONS"
        )
    signature: dict[str, str] = {}
    known = [int(version.version) for version in registry.of_run(run.info.run_id) if version.source == source]
    # Of a task that is done again: what somebody has done to the version since is mended.
    if not known or not all(registry.is_whole(number) for number in known):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "model"
            write(folder)
            (folder / EVIDENCE_FILE).write_text(evidence_text(evidence))
            signature = signed(model, folder)
            get_artifact_repository(source).log_artifacts(str(folder))
        for number in known:
            log.warning("%s version %d was changed or lost files; it is made again", model, number)
    about = {"cutoff": evidence.cutoff, "data_digest": evidence.data_digest}
    dated = {key: str(value) for key, value in about.items() if value is not None}
    from_run = {key: run.data.tags[key] for key in _RUN_TAGS if key in run.data.tags}
    number = registry.register(
        source, run.info.run_id, digest, {**tags, **from_run, **dated, **evidence.tags, **signature}
    )
    mlflow.set_tags({MODEL_VERSION_TAG: f"{registry.model}/{number}"})
    return number


def evidence_text(evidence: Evidence) -> str:
    """The evidence as it lies beside the model."""
    return evidence.model_dump_json(indent=1)
