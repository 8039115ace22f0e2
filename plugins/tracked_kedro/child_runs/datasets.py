"""The datasets that write and find one child run per key of a mapped namespace."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, ClassVar

import mlflow
from kedro.io import AbstractDataset, DatasetError
from mlflow.entities import Metric, Param, Run, RunInfo, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tracked_kedro.child_runs.children import FAILURE_TAG, FINGERPRINT_TAG, ChildRuns
from tracked_kedro.child_runs.index import ChildIndex
from tracked_kedro.child_runs.record import ChildRecord
from tracked_kedro.kedro_side.redaction import without_secrets
from tracked_kedro.names import DONE_METRIC
from tracked_kedro.serving.shared_code import take_code

log = logging.getLogger(__name__)

# MLflow refuses longer values.
_PARAM_LENGTH = 6000
_TAG_LENGTH = 4000


class MlflowChildRunsDataset(AbstractDataset[dict[str, ChildRecord], dict[str, str]]):
    """Child runs of the active MLflow run: saved from records, loaded as fingerprints of what is finished.

    The class name starts with "Mlflow", by which kedro-mlflow switches its datasets off.

    Args:
        index: folder or address in the run's data where finished child runs are noted (see `ChildIndex`).
        keys: the keys that this task is about; empty for all.
        save_model: dotted name of the function that writes a record's `model` to a new folder, as an MLflow model:
            `save_model(model, folder)`. Needed where records have one. The code that it brings along is stored once,
            with the parent run (see `tracked_kedro.serving.shared_code`).

    Raises:
        ValueError: `save_model` names nothing that can be imported and called.
    """

    # What a load found, by parent, for the save of the same task, which is another dataset of the catalog: one search
    # less a shard. A task's keys belong to it alone, so that nobody else changes their children meanwhile.
    _found: ClassVar[dict[str, dict[str, Run]]] = {}

    def __init__(self, index: str, keys: Sequence[str] = (), save_model: str | None = None) -> None:
        self._index = index
        self._keys = tuple(keys)
        self._save_model = _function(save_model) if save_model else None
        self._logging_activated = True

    def load(self) -> dict[str, str]:
        """Fingerprint of each key whose child run is FINISHED; empty when tracking is off."""
        parent = self._parent()
        if parent is None:
            return {}
        index = ChildIndex(self._index, parent.info.run_id)
        found = _find(ChildRuns(MlflowClient(), parent), index, self._keys or None)
        # Of this parent only: a process that serves one DAG run after the other must not grow.
        self._found.clear()
        self._found[parent.info.run_id] = found
        return {
            key: run.data.tags.get(FINGERPRINT_TAG, "") for key, run in found.items() if run.info.status == "FINISHED"
        }

    def save(self, data: dict[str, ChildRecord]) -> None:
        """Write each record to its own child run, and to the parent how many are done by now.

        Three requests a record besides one per artifact file; for all of them together one, one more where nothing was
        loaded before, and one or two for the code of models.

        Raises:
            DatasetError: no run is active, or a record has a model and the catalog entry no `save_model`.
        """
        parent = self._parent()
        if parent is None or not data:
            return
        if self._save_model is None and any(record.model is not None for record in data.values()):
            raise DatasetError("records have a model, and nothing says how to keep it: give the entry a `save_model`")
        children = ChildRuns(MlflowClient(), parent)
        index = ChildIndex(self._index, parent.info.run_id)
        earlier = self._found.pop(parent.info.run_id, None)
        if earlier is None:
            earlier = _find(children, index, data)
        for key, record in data.items():
            try:
                self._write(children, index, key, record, earlier.get(key))
            except MlflowException:
                if key in children.find_all():
                    raise
                log.warning("The child run of %s was deleted while it was written, and is made again", record.label)
                self._write(children, index, key, record, None)
        # Counted anew: other shards may have ended meanwhile.
        done = index.count()
        children.client.log_metric(parent.info.run_id, DONE_METRIC, done, step=done)

    def _write(
        self, children: ChildRuns, index: ChildIndex, key: str, record: ChildRecord, earlier: Run | None
    ) -> None:
        child = children.open(key, record.label, record.fingerprint, earlier)
        # Only now: a finished child that is not noted would be found by nobody, and made again.
        if earlier is not None:
            index.remove(key)
        self._log(children, child, record)
        if record.status == "FINISHED":
            index.add(key, child.run_id)
        children.end(child, record.status)
        log.info("Child run %s of %s is %s", child.run_id, record.label, record.status)

    def _log(self, children: ChildRuns, child: RunInfo, record: ChildRecord) -> None:
        _log_values(children, child, record)
        if not record.files and record.model is None:
            return
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for path, content in record.files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
            if record.model is not None and self._save_model is not None:
                self._save_model(record.model, folder / "model")
                shared = take_code(folder / "model", children.parent.info.run_id)
                if shared is not None:
                    children.share(*shared)
            children.upload(child, folder)

    def _parent(self) -> Run | None:
        if not self._logging_activated:
            return None
        run = mlflow.active_run()
        if run is None:
            raise DatasetError("No MLflow run is active: child runs need a parent")
        return run

    def _exists(self) -> bool:
        return False

    def _describe(self) -> dict[str, Any]:
        return {"index": self._index, "keys": self._keys, "save_model": self._save_model}


class MlflowChildRunIdsDataset(AbstractDataset[None, dict[str, str]]):
    """Id of the child run of each key of the active run."""

    def __init__(self) -> None:
        self._logging_activated = True

    def load(self) -> dict[str, str]:
        """Ids by key; empty when tracking is off or no run is active."""
        parent = mlflow.active_run() if self._logging_activated else None
        found = ChildRuns(MlflowClient(), parent).find_all() if parent else {}
        return {key: run.info.run_id for key, run in found.items()}

    def save(self, data: None) -> None:
        """Ids are read, never written."""
        raise NotImplementedError("ids are read, never written")

    def _exists(self) -> bool:
        return False

    def _describe(self) -> dict[str, Any]:
        return {}


def _find(children: ChildRuns, index: ChildIndex, keys: Collection[str] | None) -> dict[str, Run]:
    """Earlier child runs of the keys, None for all: one search, one more where some of them are finished."""
    if not children.parent.data.metrics.get(DONE_METRIC) or index.exists():
        return children.find(index.all_run_ids() if keys is None else index.run_ids(keys), keys)
    log.warning("The run's data folder has lost its notes of child runs: all of them are listed once")
    found = children.find_all()
    for key, run in found.items():
        if run.info.status == "FINISHED":
            index.add(key, run.info.run_id)
    return found


def _function(name: str) -> Callable[[Any, Path], None]:
    try:
        found = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"save_model: {name!r} cannot be imported ({error}); write my_project.module.function"
        ) from error
    if not callable(found):
        raise ValueError(f"save_model: {name!r} is no function; it has to write a record's model to a folder")
    return found


def _log_values(children: ChildRuns, child: RunInfo, record: ChildRecord) -> None:
    now = int(time.time() * 1000)
    tags = {**record.tags, **({FAILURE_TAG: without_secrets(record.failure)[:_TAG_LENGTH]} if record.failure else {})}
    children.client.log_batch(
        child.run_id,
        metrics=[Metric(key, float(value), now, 0) for key, value in record.metrics.items()],
        params=[Param(key, str(value)[:_PARAM_LENGTH]) for key, value in record.parameters.items()],
        tags=[RunTag(key, str(value)) for key, value in tags.items()],
    )
