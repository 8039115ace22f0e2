"""Child runs: one per key of a mapped namespace, nested under the parent run, found again by tag and never duplicated.

Requests are counted, for a fleet makes them by the ten thousand: one to create a run, one to end it, and none to find
out where its artifacts go (`tests/integration/test_requests.py`).
"""

from __future__ import annotations

import logging
import os
import platform
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from mlflow.entities import Run, RunInfo, RunStatus
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from mlflow.utils.time import get_current_time_millis

from tracked_kedro.compatibility import store_of
from tracked_kedro.names import KEY_TAG
from tracked_kedro.paging import PAGE, paged
from tracked_kedro.parent_run.creates import created_once

log = logging.getLogger(__name__)

FINGERPRINT_TAG = "fingerprint"
FAILURE_TAG = "failure"
# Which machine, or which Celery worker of one, has made the child: told by RETRAINING_WORKER, else by the host's name.
WORKER_TAG = "worker"


@dataclass(frozen=True)
class ChildRuns:
    """The child runs of one parent."""

    client: MlflowClient
    parent: Run
    _shared: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def find(self, finished: Sequence[str], keys: Collection[str] | None) -> dict[str, Run]:
        """Children by key: the unfinished ones, and of the finished ones those with these run ids.

        Not all of them: every task of a fleet asks, and each would be told about the whole fleet. Twins of the task's
        own keys, None for all, are deleted: a server may carry out late what was given up and asked for again.
        """
        found = self._search("attributes.status != 'FINISHED'")
        for start in range(0, len(finished), PAGE):
            ids = ", ".join(f"'{run_id}'" for run_id in finished[start : start + PAGE])
            found += self._search(f"attributes.run_id IN ({ids})")
        by_key = self._by_key(found)
        kept = {run.info.run_id for run in by_key.values()}
        twins = {run.info.run_id: run.data.tags[KEY_TAG] for run in found if KEY_TAG in run.data.tags}
        for run_id, key in twins.items():
            if run_id not in kept and (keys is None or key in keys):
                log.warning("Child run %s of %s is a twin and is deleted", run_id, key)
                self.client.delete_run(run_id)
        return by_key

    def find_all(self) -> dict[str, Run]:
        """All children by key, a request a thousand."""
        return self._by_key(self._search())

    def _search(self, condition: str | None = None) -> list[Run]:
        query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self.parent.info.run_id}'"
        query += f" AND {condition}" if condition else ""
        return list(paged(self.client.search_runs, [self.parent.info.experiment_id], query))

    def _by_key(self, runs: list[Run]) -> dict[str, Run]:
        # Of twins the finished one, else the newest: the last of a key wins.
        runs.sort(key=lambda run: (run.info.status == "FINISHED", run.info.start_time))
        return {run.data.tags[KEY_TAG]: run for run in runs if KEY_TAG in run.data.tags}

    def open(self, key: str, label: str, fingerprint: str, earlier: Run | None) -> RunInfo:
        """The child to log to: the earlier one when it is about the same work, else a new one.

        A child made from other data, parameters or code is deleted: its parameters cannot be changed.
        """
        if earlier is not None:
            if earlier.data.tags.get(FINGERPRINT_TAG) == fingerprint:
                self._set_status(earlier.info.run_id, "RUNNING")
                if FAILURE_TAG in earlier.data.tags:
                    self.client.delete_tag(earlier.info.run_id, FAILURE_TAG)
                return earlier.info
            self.client.delete_run(earlier.info.run_id)
        tags = {
            MLFLOW_PARENT_RUN_ID: self.parent.info.run_id,
            MLFLOW_RUN_NAME: label,
            KEY_TAG: key,
            FINGERPRINT_TAG: fingerprint,
            WORKER_TAG: os.environ.get("RETRAINING_WORKER") or platform.node(),
        }

        def made() -> Run | None:
            return self._by_key(self._search("attributes.status = 'RUNNING'")).get(key)

        create = partial(self.client.create_run, self.parent.info.experiment_id, tags=tags, run_name=label)
        return created_once(create, made).info

    def upload(self, child: RunInfo, folder: Path) -> None:
        """Store the files of a folder: one request each through a tracking server."""
        # The client's own log_artifacts would ask the server for the address that `child` holds.
        get_artifact_repository(child.artifact_uri, tracking_uri=self.client.tracking_uri).log_artifacts(str(folder))

    def share(self, path: str, content: bytes) -> None:
        """Store what all children refer to with their parent, unless it is there: a request a task, one more to write.

        Args:
            path: among the parent's artifacts, in a folder; the same path always means the same content.
            content: of the file. One that a killed task has left unfinished is written again.
        """
        if path in self._shared:
            return
        folder, name = PurePosixPath(path).parent, PurePosixPath(path).name
        parent = get_artifact_repository(self.parent.info.artifact_uri, tracking_uri=self.client.tracking_uri)
        sizes = {one.path: one.file_size for one in parent.list_artifacts(str(folder))}
        if sizes.get(path) != len(content):
            with tempfile.TemporaryDirectory() as scratch:
                file = Path(scratch) / name
                file.write_bytes(content)
                parent.log_artifact(str(file), str(folder))
        self._shared.add(path)

    def end(self, child: RunInfo, status: str) -> None:
        """Give a child its final status."""
        self._set_status(child.run_id, status, get_current_time_millis())

    def _set_status(self, run_id: str, status: str, end_time: int | None = None) -> None:
        store_of(self.client).update_run_info(run_id, RunStatus.from_string(status), end_time, None)
