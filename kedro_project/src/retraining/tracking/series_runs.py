"""The dataset that writes one child run per series."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import mlflow
from kedro.io import AbstractDataset, DatasetError
from mlflow.entities import Metric, Param, Run, RunInfo, RunTag
from mlflow.tracking import MlflowClient

from retraining.tracking.children import FINGERPRINT_TAG, ChildRuns

log = logging.getLogger(__name__)

DONE_METRIC = "series_done"
# MLflow refuses longer parameter values.
_PARAM_LENGTH = 6000


@dataclass(frozen=True)
class SeriesRecord:
    """All that is kept of one series in one run.

    Attributes:
        files: what to store, by path inside the run's artifacts: the bytes of a file, or a function that
            writes a file or folder at the path it is given.
    """

    label: str
    status: Literal["FINISHED", "FAILED"]
    fingerprint: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes | Callable[[Path], None]] = field(default_factory=dict)


class MlflowSeriesRunsDataset(AbstractDataset[dict[str, SeriesRecord], dict[str, str]]):
    """Child runs of the active MLflow run: saved from records, loaded as fingerprints of what is finished.

    The class name starts with "Mlflow", by which kedro-mlflow switches its datasets off.
    """

    # What a load found, by parent, for the save of the same task, which is another dataset of the catalog: one search
    # less a shard. A task's series belong to it alone, so that nobody else changes their children meanwhile.
    _found: ClassVar[dict[str, dict[str, Run]]] = {}

    def __init__(self) -> None:
        self._logging_activated = True

    def load(self) -> dict[str, str]:
        """Fingerprint of each series whose child run is FINISHED; empty when tracking is off."""
        parent = self._parent()
        if parent is None:
            return {}
        found = ChildRuns(MlflowClient(), parent).find()
        # Of this parent only: a process that serves one DAG run after the other must not grow.
        self._found.clear()
        self._found[parent.info.run_id] = found
        return {
            series: run.data.tags.get(FINGERPRINT_TAG, "")
            for series, run in found.items()
            if run.info.status == "FINISHED"
        }

    def save(self, data: dict[str, SeriesRecord]) -> None:
        """Write each record to its own child run, and to the parent how many are done by now.

        Three requests a record besides one per artifact file; for all of them together two, and one more where nothing
        was loaded before.
        """
        parent = self._parent()
        if parent is None or not data:
            return
        children = ChildRuns(MlflowClient(), parent)
        earlier = self._found.pop(parent.info.run_id, None)
        if earlier is None:
            earlier = children.find()
        for series, record in data.items():
            child = children.open(series, record.label, record.fingerprint, earlier.get(series))
            _log_record(children, child, record)
            children.end(child, record.status)
            log.info("Child run %s of %s is %s", child.run_id, record.label, record.status)
        _log_done(children)

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
        return {}


def _log_done(children: ChildRuns) -> None:
    """Tell the parent how many of its series are finished, counted anew: other shards may have ended meanwhile."""
    done = sum(run.info.status == "FINISHED" for run in children.find().values())
    children.client.log_metric(children.parent.info.run_id, DONE_METRIC, done, step=done)


def _log_record(children: ChildRuns, child: RunInfo, record: SeriesRecord) -> None:
    now = int(time.time() * 1000)
    children.client.log_batch(
        child.run_id,
        metrics=[Metric(key, float(value), now, 0) for key, value in record.metrics.items()],
        params=[Param(key, str(value)[:_PARAM_LENGTH]) for key, value in record.parameters.items()],
        tags=[RunTag(key, str(value)) for key, value in record.tags.items()],
    )
    if not record.files:
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, content in record.files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                content(path)
        children.upload(child, Path(folder))
