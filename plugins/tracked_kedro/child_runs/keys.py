"""The keys of a mapped namespace, and with them which child runs of an earlier attempt still belong to the run."""

from __future__ import annotations

import logging
from typing import Any

import mlflow
from kedro.io import AbstractDataset
from kedro.io.core import parse_dataset_definition
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tracked_kedro.child_runs.children import ChildRuns
from tracked_kedro.child_runs.datasets import DONE_METRIC
from tracked_kedro.child_runs.index import ChildIndex

log = logging.getLogger(__name__)


class MlflowKeysDataset(AbstractDataset[list[str], list[str]]):
    """A stored list of keys. Saved anew without a key, as by a run that was cleared, it deletes that key's child run.

    A DAG run may be cleared after its input has changed: a child run of a key that it is no longer about would be
    counted and shown beside the others for ever. MLflow keeps a deleted run, to be restored by hand.

    Args:
        dataset: definition of the dataset that stores the list.
        index: of the child runs, as for `MlflowChildRunsDataset`.
    """

    def __init__(self, dataset: dict[str, Any], index: str) -> None:
        kind, arguments = parse_dataset_definition(dataset)
        self._dataset = kind(**arguments)
        self._index = index
        self._logging_activated = True

    def save(self, data: list[str]) -> None:
        """Delete the child runs of keys that are gone, then store the list: a retry finds what is left to do.

        No request where no key is gone.
        """
        parent = mlflow.active_run() if self._logging_activated else None
        if parent is not None and self._may_have_others(parent, set(data)):
            self._delete_others(parent, set(data))
        self._dataset.save(data)

    def _may_have_others(self, parent: Run, keys: set[str]) -> bool:
        if self._dataset.exists():
            return bool(set(self._dataset.load()) - keys)
        # The run's data folder is new, or was lost.
        return bool(parent.data.metrics.get(DONE_METRIC))

    def _delete_others(self, parent: Run, keys: set[str]) -> None:
        children = ChildRuns(MlflowClient(), parent)
        index = ChildIndex(self._index, parent.info.run_id)
        others = {key: run for key, run in children.find_all().items() if key not in keys}
        for key, run in others.items():
            index.remove(key)
            children.client.delete_run(run.info.run_id)
            log.warning("Child run %s of %s is deleted: this run is no longer about it", run.info.run_id, key)
        if others:
            run_id = parent.info.run_id
            # MLflow shows the value of the highest step, and fewer are done now than before.
            last = max((point.step for point in children.client.get_metric_history(run_id, DONE_METRIC)), default=0)
            children.client.log_metric(run_id, DONE_METRIC, index.count(), step=last)

    def load(self) -> list[str]:
        """The list."""
        return self._dataset.load()

    def _exists(self) -> bool:
        return bool(self._dataset.exists())

    def _describe(self) -> dict[str, Any]:
        return {"index": self._index, "dataset": self._dataset._describe()}
