"""Single runs, their files and versions, as the tracking server has them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from tracked_kedro.errors import UnavailableError, classified
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.names import PARENT_RUN_TAG
from tracked_kedro.paging import paged
from tracked_kedro.web.fresh import Fresh

# A person waits: a server that hangs is reported within half a minute. Bars of progress are nothing for a server's log.
_MLFLOW_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_FRESH_SECONDS = 10.0


class NotStoredError(LookupError):
    """The tracking server has no such run, table or series."""


class Tracking:
    """The tracking server that the tasks use; safe to use from many threads."""

    def __init__(self) -> None:
        self.fresh = Fresh(_FRESH_SECONDS)

    @cached_property
    def client(self) -> Any:
        """MLflow's client."""
        os.environ.update(_MLFLOW_SETTINGS)
        tracking_server.connect()
        from mlflow.tracking import MlflowClient

        return MlflowClient()

    def run(self, run_id: str) -> Any:
        """Any run of the tracking server.

        Raises:
            NotStoredError: there is none with this id.
        """
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise NotStoredError(f"The tracking server has no run {run_id}") from error

    def artifact(self, run_id: str, path: str) -> bytes:
        """A small file among the artifacts of a run that may not have ended yet.

        Raises:
            NotStoredError: the run has no such file.
        """

        def ask() -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                return Path(self.download(run_id)(path, folder)).read_bytes()

        return self.fresh.get(("artifact", run_id, path), ask)

    def download(self, run_id: str) -> Callable[[str, str], str]:
        """A function that downloads a run's artifact into a folder, as `Files.get` takes it."""

        def download(path: str, folder: str) -> str:
            from mlflow.exceptions import MlflowException

            try:
                return self.client.download_artifacts(run_id, path, folder)
            except (MlflowException, OSError) as error:
                if isinstance(classified(error), UnavailableError):
                    raise
                raise NotStoredError(f"Run {run_id} has no {path}") from error

        return download

    def children_of(self, run: Any, series: set[str]) -> list[str]:
        """Ids of the child runs of some series of a parent, the newest of each series."""
        from tracked_kedro.child_runs.children import KEY_TAG

        query = f"tags.`mlflow.parentRunId` = '{run.info.run_id}' AND tags.`{KEY_TAG}` IS NOT NULL"
        found: dict[str, str] = {}
        for child in paged(self.client.search_runs, [run.info.experiment_id], query):
            name = child.data.tags[KEY_TAG]
            if name in series:
                found.setdefault(name, child.info.run_id)
            if len(found) == len(series):
                break
        return list(found.values())

    def model_version_of(self, run_id: str) -> tuple[str, str] | None:
        """Name and number of the model version that a parent run registered."""
        found = self.client.search_model_versions(f"tags.`{PARENT_RUN_TAG}` = '{run_id}'", max_results=1)
        return (found[0].name, str(found[0].version)) if found else None
