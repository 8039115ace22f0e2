"""Single runs, their files and versions, as the tracking server has them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from tracked_kedro.errors import UnavailableError, classified
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.names import DAG_ID_TAG, MODEL_VERSION_TAG
from tracked_kedro.paging import paged
from tracked_kedro.web.fresh import Fresh
from tracked_kedro.web.reach import reach

# A person waits: a server that is down is reported within three seconds (`web.reach`), one that takes the connection
# and hangs within half a minute, for a large search on a slow machine looks the same. Bars of progress are nothing for
# a server's log.
_MLFLOW_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_FRESH_SECONDS = 10.0
# For how long the project is not asked for its DAGs again.
_DAGS_SECONDS = 60.0
# A child run of a child run is nobody's here; a chain longer than this is no tree.
_MOST_PARENTS = 4
_MOST_CHILDREN = 50_000
_ID = re.compile("[0-9A-Za-z]{1,64}")


class NotStoredError(LookupError):
    """The tracking server has no such run, table or series."""


class UnreadableError(NotStoredError):
    """It has one, but not such that a page can show it; the message holds nothing of its content."""


class Tracking:
    """The tracking server that the tasks use; safe to use from many threads."""

    def __init__(self) -> None:
        self.fresh = Fresh(_FRESH_SECONDS)
        self._dags = Fresh(_DAGS_SECONDS)

    @property
    def client(self) -> Any:
        """MLflow's client.

        Raises:
            UnavailableError: nothing listens where the tracking server should, or its host is not reached in time.
        """
        client = self._client
        self.fresh.get(("reached",), lambda: reach(client.tracking_uri))
        return client

    @cached_property
    def _client(self) -> Any:
        os.environ.update(_MLFLOW_SETTINGS)
        tracking_server.connect()
        from mlflow.tracking import MlflowClient

        return MlflowClient()

    def experiments(self) -> Mapping[str, frozenset[str]]:
        """The DAGs of this deployment, by the name of the experiment that their runs are in; no other run counts."""
        return self._dags.get((), tracking_server.experiments)

    def dags_of(self, run: Any) -> frozenset[str]:
        """The DAGs whose runs a person must be allowed to see to see this one: those of its parent, whatever it says.

        Raises:
            NotStoredError: the run is in no experiment of this deployment, or its parent in another one.
        """
        parent = run
        for _ in range(_MOST_PARENTS):
            above = parent.data.tags.get("mlflow.parentRunId")
            if above is None:
                break
            parent = self.run(above)
            if parent.info.experiment_id != run.info.experiment_id:
                raise _unknown(run.info.run_id)
        else:
            raise _unknown(run.info.run_id)
        return self.named_dags(self._experiment(run.info.experiment_id), parent)

    def named_dags(self, experiment: str, parent: Any) -> frozenset[str]:
        """The DAG that a parent run of an experiment names; all of the experiment's where it names none.

        Raises:
            NotStoredError: the experiment is none of this deployment, or the DAG none of the experiment's.
        """
        dags, dag = self.experiments().get(experiment, frozenset()), parent.data.tags.get(DAG_ID_TAG)
        named = dags if dag is None else dags & {dag}
        if not named:
            raise _unknown(parent.info.run_id)
        return named

    def _experiment(self, experiment_id: str) -> str:
        return self.fresh.get(("experiment", experiment_id), lambda: self.client.get_experiment(experiment_id).name)

    def run(self, run_id: str) -> Any:
        """Any run of the tracking server: `dags_of` says who may see it.

        Raises:
            NotStoredError: there is none with this id.
        """
        from mlflow.exceptions import MlflowException

        if not _ID.fullmatch(run_id):
            raise NotStoredError("That is no id of a run")
        try:
            return self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise _unknown(run_id) from error

    def artifact(self, run_id: str, path: str, most_bytes: int) -> bytes:
        """A small file among the artifacts of a run that may not have ended yet.

        Raises:
            NotStoredError: the run has no such file, or it is larger than that.
        """

        def ask() -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                return Path(self.download(run_id, most_bytes)(path, folder)).read_bytes()

        return self.fresh.get(("artifact", run_id, path), ask)

    def download(self, run_id: str, most_bytes: int) -> Callable[[str, str], str]:
        """A function that downloads a run's artifact into a folder, as `Files.get` takes it, if it is no larger."""

        def download(path: str, folder: str) -> str:
            from mlflow.exceptions import MlflowException

            try:
                items = self.client.list_artifacts(run_id, path.rpartition("/")[0] or None)
                size = next((one.file_size for one in items if one.path == path and not one.is_dir), None)
                # A folder has no size, and one that its store does not know is not found out by loading it.
                if size is None:
                    raise NotStoredError(f"Run {run_id} has no {path}")
                if size > most_bytes:
                    raise UnreadableError(f"it is larger than {most_bytes // 2**20} MiB")
                return self.client.download_artifacts(run_id, path, folder)
            except (MlflowException, OSError) as error:
                if isinstance(classified(error), UnavailableError):
                    raise
                raise NotStoredError(f"Run {run_id} has no {path}") from error

        return download

    def experiments_of(self, dag: str) -> list[str]:
        """Names of the experiments that a DAG's runs are in.

        Raises:
            NotStoredError: none of this deployment's is that of such a DAG.
        """
        named = [name for name, dags in self.experiments().items() if dag in dags]
        if not named:
            raise NotStoredError("There is no such DAG whose runs are tracked here")
        return named

    def newest(self, dag: str, most: int, tag: str | None = None) -> list[Any]:
        """Parent runs of a DAG, the newest first.

        Args:
            dag: its id, which `experiments` knows.
            most: of so many.
            tag: which they must have.

        Raises:
            NotStoredError: see `experiments_of`.
        """
        found = (self.client.get_experiment_by_name(name) for name in self.experiments_of(dag))
        ids = [one.experiment_id for one in found if one is not None]
        query = f"tags.`{DAG_ID_TAG}` = '{dag}'" + (f" AND tags.`{tag}` IS NOT NULL" if tag else "")
        order = ["attributes.start_time DESC"]
        # An empty list of experiments would be a search in the default one.
        return list(self.client.search_runs(ids, query, max_results=most, order_by=order)) if ids else []

    def has_artifact(self, run: Any, path: str) -> bool:
        """Whether a run keeps a file at a path."""
        items = self.client.list_artifacts(run.info.run_id, path.rpartition("/")[0] or None)
        return any(one.path == path for one in items)

    def children_of(self, run: Any, series: set[str]) -> list[str]:
        """Ids of the child runs of some series of a parent, the newest of each series."""
        from tracked_kedro.names import KEY_TAG

        query = f"tags.`mlflow.parentRunId` = '{run.info.run_id}' AND tags.`{KEY_TAG}` IS NOT NULL"
        found: dict[str, str] = {}
        for child in islice(paged(self.client.search_runs, [run.info.experiment_id], query), _MOST_CHILDREN):
            name = child.data.tags[KEY_TAG]
            if name in series:
                found.setdefault(name, child.info.run_id)
            if len(found) == len(series):
                break
        return list(found.values())


def model_version_of(run: Any) -> tuple[str, str] | None:
    """Name and number of the model version that a parent run registered, as the run tells it.

    Anybody may make a version of a model of their own, and say that it came from this run.
    """
    name, _, number = run.data.tags.get(MODEL_VERSION_TAG, "").rpartition("/")
    return (name, number) if name and number.isdecimal() else None


def _unknown(run_id: str) -> NotStoredError:
    """The same of a run that is not there, and of one that is nobody's here."""
    return NotStoredError(f"The tracking server has no run {run_id}")
