"""The keys of a mapped namespace, and with them which child runs of an earlier attempt still belong to the run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import fsspec
import mlflow
from kedro.io import AbstractDataset
from kedro.io.core import parse_dataset_definition
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tracked_kedro.child_runs.children import ChildRuns
from tracked_kedro.child_runs.index import ChildIndex
from tracked_kedro.names import DONE_METRIC

log = logging.getLogger(__name__)


class MlflowKeysDataset(AbstractDataset[Mapping[str, str] | list[str], list[str]]):
    """A stored list of keys. Saved anew without a key, or with another digest of it, as by a run that was cleared, it
    deletes that key's child run and files.

    A DAG run may be cleared after its input has changed. What an earlier attempt has made of a key would be counted and
    shown beside the others for ever where the key is gone; where its data is another, until its task has run again,
    which a killed task never does. MLflow keeps a deleted run, to be restored by hand.

    Args:
        dataset: definition of the dataset that stores the list, or the digests by key: JSON, say.
        index: of the child runs, as for `MlflowChildRunsDataset`.
        files: what else the run's folder holds of a key, with `{key}` in the place of its name
            (`…/results/{key}.json`).
    """

    def __init__(self, dataset: dict[str, Any], index: str, files: Sequence[str] = ()) -> None:
        kind, arguments = parse_dataset_definition(dataset)
        self._dataset = kind(**arguments)
        self._index, self._files = index, tuple(files)
        self._logging_activated = True

    def save(self, data: Mapping[str, str] | list[str]) -> None:
        """Delete what there is of keys that are gone or changed, then store the keys: a retry finds what is left to do.

        No request where no key is gone or changed.

        Args:
            data: digest of the key's data by key; or the keys alone, whose data then never counts as changed.
        """
        parent = mlflow.active_run() if self._logging_activated else None
        before = _digests(self._dataset.load()) if self._dataset.exists() else {}
        now = _digests(data)
        past = {key for key, digest in before.items() if key not in now or _differ(digest, now[key])}
        for key in past:
            self._remove_files(key)
        # Without notes of before, the run's data folder is new, or was lost.
        if parent is not None and (past or (not before and parent.data.metrics.get(DONE_METRIC))):
            self._delete_others(parent, set(now) - past)
        self._dataset.save(data)

    def _remove_files(self, key: str) -> None:
        for pattern in self._files:
            filesystem, path = fsspec.core.url_to_fs(pattern.replace("{key}", key))
            if filesystem.exists(path):
                filesystem.rm_file(path)

    def _delete_others(self, parent: Run, keys: set[str]) -> None:
        children = ChildRuns(MlflowClient(), parent)
        index = ChildIndex(self._index, parent.info.run_id)
        others = {key: run for key, run in children.find_all().items() if key not in keys}
        for key, run in others.items():
            index.remove(key)
            children.client.delete_run(run.info.run_id)
            log.warning(
                "Child run %s is deleted: this run is no longer about %s, or about other data of it",
                run.info.run_id,
                key,
            )
        if others:
            run_id = parent.info.run_id
            # MLflow shows the value of the highest step, and fewer are done now than before.
            last = max((point.step for point in children.client.get_metric_history(run_id, DONE_METRIC)), default=0)
            children.client.log_metric(run_id, DONE_METRIC, index.count(), step=last)

    def load(self) -> list[str]:
        """The list."""
        return list(self._dataset.load())

    def _exists(self) -> bool:
        return bool(self._dataset.exists())

    def _describe(self) -> dict[str, Any]:
        return {"index": self._index, "files": self._files, "dataset": self._dataset._describe()}


def _differ(before: str | None, now: str | None) -> bool:
    return None not in (before, now) and before != now


def _digests(stored: Mapping[str, str] | list[str]) -> dict[str, str | None]:
    return dict(stored) if isinstance(stored, Mapping) else dict.fromkeys(stored)
