"""The dataset that writes one child run per series."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import mlflow
from kedro.io import AbstractDataset, DatasetError
from mlflow.entities import Metric, Param, Run, RunTag
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

    def __init__(self) -> None:
        self._logging_activated = True

    def load(self) -> dict[str, str]:
        """Fingerprint of each series whose child run is FINISHED; empty when tracking is off."""
        parent = self._parent()
        if parent is None:
            return {}
        children = ChildRuns(MlflowClient(), parent).find()
        return {
            series: run.data.tags.get(FINGERPRINT_TAG, "")
            for series, run in children.items()
            if run.info.status == "FINISHED"
        }

    def save(self, data: dict[str, SeriesRecord]) -> None:
        """Write each record to its own child run, and to the parent how many are done by now.

        Two to four requests a record besides one per artifact file, and three for all of them.
        """
        parent = self._parent()
        if parent is None or not data:
            return
        client = MlflowClient()
        children = ChildRuns(client, parent)
        earlier = children.find()
        for series, record in data.items():
            run_id = children.open(series, record.label, record.fingerprint, earlier.get(series))
            _log_record(client, run_id, record)
            client.set_terminated(run_id, record.status)
            log.info("Child run %s of %s is %s", run_id, record.label, record.status)
        _log_done(client, children)

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


def _log_done(client: MlflowClient, children: ChildRuns) -> None:
    """Tell the parent how many of its series are finished, counted anew: other shards may have ended meanwhile."""
    done = sum(run.info.status == "FINISHED" for run in children.find().values())
    client.log_metric(children.parent.info.run_id, DONE_METRIC, done, step=done)


def _log_record(client: MlflowClient, run_id: str, record: SeriesRecord) -> None:
    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
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
        client.log_artifacts(run_id, folder)
