"""What the page reads: parent runs, their tables and the champion, through the tracking server and kept a while.

A run that has ended does not change, so its tables are kept by its id and end; what can change is asked again after
seconds. Requires nothing of a pipeline but these artifacts: `forecasts/overview.parquet` and
`forecasts/forecasts.parquet` of the parent run, `series.parquet` of the child runs.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import polars as pl

from tracked_kedro import names
from tracked_kedro.paging import paged
from tracked_kedro.web.forecasts import tables
from tracked_kedro.web.forecasts.kept import Files
from tracked_kedro.web.forecasts.runs import StoredRun, UnderWay, Unreadable, UnreadableRun, stored_run, under_way
from tracked_kedro.web.fresh import Fresh
from tracked_kedro.web.tracking import NotStoredError, Tracking, UnreadableError

OVERVIEW = "forecasts/overview.parquet"
FORECASTS = "forecasts/forecasts.parquet"
SERIES = "series.parquet"

_MOST_RUNS = 240
_MOST_MONTHS = 2_000  # of one series in one run
_MOST_UNDER_WAY = 20
_AT_ONCE = 8  # requests to the tracking server


@dataclass(frozen=True)
class Version:
    """A version of the registered model that belongs to an experiment."""

    number: str
    run_id: str | None


class Stored:
    """The tracking server as the page needs it; safe to use from many threads."""

    def __init__(self, tracking: Tracking, files: Files) -> None:
        self._tracking, self._files = tracking, files
        self._holds: dict[tuple[str, str], bool] = {}
        self.unreadable = Unreadable()
        self._frames = Fresh(3600.0, most=24)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="forecasts-page")
        self._lock = threading.Lock()

    @property
    def _client(self) -> Any:
        return self._tracking.client

    def experiments(self) -> list[str]:
        """Names of the deployment's experiments whose runs hold forecasts, in alphabetical order."""

        def ask() -> list[str]:
            found = {one.name for one in paged(self._client.search_experiments)}
            return sorted(name for name in self._tracking.experiments() if name in found and self.runs(name))

        return self._tracking.fresh.get(("experiments",), ask)

    def runs(self, experiment: str) -> list[StoredRun]:
        """The run of each month that holds forecasts, the newest first; empty where there is none.

        Of several runs of a month it is the one that ended last, as far as it can be read.

        Raises:
            NotStoredError: there is no such experiment.
        """
        by_month: dict[str, StoredRun] = {}
        for run in self._tracking.fresh.get(("runs", experiment), lambda: self._ask_runs(experiment)):
            if run not in self.unreadable:
                by_month.setdefault(run.month, run)
        return [by_month[month] for month in sorted(by_month, reverse=True)]

    def _ask_runs(self, experiment: str) -> list[StoredRun]:
        ended = self._ended(experiment)
        return [run for run, holds in zip(ended, self._pool.map(self._holds_forecasts, ended), strict=True) if holds]

    def _ended(self, experiment: str) -> list[StoredRun]:
        """Its parent runs that have ended, whatever they hold; the last one first."""
        return self._tracking.fresh.get(("ended", experiment), lambda: self._ask_ended(experiment))

    def _ask_ended(self, experiment: str) -> list[StoredRun]:
        ours = experiment in self._tracking.experiments()
        found = self._client.get_experiment_by_name(experiment) if ours else None
        if found is None:
            raise NotStoredError(f"There is no experiment {experiment!r} on the tracking server")
        parents = self._client.search_runs(
            [found.experiment_id],
            "tags.`mlflow.parentRunId` IS NULL",
            max_results=_MOST_RUNS,
            order_by=["attributes.end_time DESC"],
        )
        ended = (self._known(experiment, run) for run in parents if run.info.status in ("FINISHED", "FAILED"))
        return [run for run in ended if run is not None]

    def under_way(self, experiment: str) -> list[UnderWay]:
        """Its parent runs that have not ended, the one that began last first."""
        return self._tracking.fresh.get(("under way", experiment), lambda: self._ask_under_way(experiment))

    def _ask_under_way(self, experiment: str) -> list[UnderWay]:
        found = self._client.get_experiment_by_name(experiment)
        running = self._client.search_runs(
            [found.experiment_id],
            f"attributes.status = 'RUNNING' AND tags.`{names.DAG_RUN_ID_TAG}` IS NOT NULL",
            max_results=_MOST_UNDER_WAY,
            order_by=["attributes.start_time DESC"],
        )
        shown = []
        for run in running:
            # Of whoever may write to the tracking server: what is nobody's here, or no such run, is left out.
            with contextlib.suppress(NotStoredError, ValueError, TypeError, OSError, OverflowError):
                if "mlflow.parentRunId" not in run.data.tags:
                    shown.append(under_way(run, self._tracking.named_dags(experiment, run)))
        return shown

    def _known(self, experiment: str, run: Any) -> StoredRun | None:
        """A parent run as the page wants it; None where it is nobody's here, or its tags are not as ours are."""
        try:
            dags = self._tracking.named_dags(experiment, run)
        except NotStoredError:
            return None
        try:
            return stored_run(run, experiment, dags)
        except (ValueError, TypeError, OSError, OverflowError):
            # Whoever may write to the tracking server may have made it: it is no reason to show nobody anything.
            reason = "its cutoff or its end is no date"
            self.unreadable.add(UnreadableRun(experiment, run.info.run_id, dags, reason), str(run.info.end_time))
            return None

    def _holds_forecasts(self, run: StoredRun) -> bool:
        key = (run.run_id, run.version)
        if key not in self._holds:
            paths = {item.path for item in self._client.list_artifacts(run.run_id, OVERVIEW.rpartition("/")[0])}
            with self._lock:
                self._holds[key] = OVERVIEW in paths
        return self._holds[key]

    def version(self, experiment: str, alias: str) -> Version | None:
        """Version of the experiment's registered model that has the alias; None where there is none."""
        from mlflow.exceptions import MlflowException

        def ask() -> Version | None:
            model = self._model(experiment)
            if model is None:
                return None
            try:
                found = self._client.get_model_version_by_alias(model, alias)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
            return Version(str(found.version), found.tags.get(names.PARENT_RUN_TAG) or found.run_id)

        return self._tracking.fresh.get(("version", experiment, alias), ask)

    def _model(self, experiment: str) -> str | None:
        """The experiment's registered model: that of the last run which registered a version, None without one."""
        versions = (run.tags.get(names.MODEL_VERSION_TAG) for run in self._ended(experiment))
        return next((version.rpartition("/")[0] for version in versions if version), None)

    def overview(self, run: StoredRun) -> pl.DataFrame:
        """One row per series of the run.

        Raises:
            UnreadableError: its table cannot be read; from now on `runs` passes it over.
        """
        return self._frames.get((run.run_id, run.version), lambda: self._read(run, OVERVIEW, tables.OVERVIEW))

    def read_newest(self) -> None:
        """Keep the newest overview of each experiment."""
        for experiment in self.experiments():
            with contextlib.suppress(NotStoredError):
                self.overview(self.runs(experiment)[0])

    def forecasts(self, run: StoredRun, series: str | None = None) -> pl.DataFrame:
        """Held-out and ahead forecasts of one series, or of all.

        Raises:
            NotStoredError: the run holds none, or none that can be read.
        """
        if series is None:
            return self._read(run, FORECASTS, tables.FORECASTS)
        return self._read(run, FORECASTS, tables.FORECASTS, pl.col("series") == series).head(_MOST_MONTHS)

    def forecasts_of_many(self, runs: list[StoredRun], series: str) -> list[pl.DataFrame]:
        """Forecasts of one series by several runs, in their order; empty where a run has none."""

        def one(run: StoredRun) -> pl.DataFrame:
            try:
                return self.forecasts(run, series)
            except NotStoredError:
                return pl.DataFrame()

        return list(self._pool.map(one, runs))

    def history(self, run: StoredRun, child_run_id: str | None) -> pl.DataFrame | None:
        """History, fit and components of a series; None where its child run does not keep them."""
        if not child_run_id:
            return None
        try:
            child = self.child(run, child_run_id).info.run_id
            return self._read(run, SERIES, tables.HISTORY, of=child)
        except NotStoredError:
            return None

    def child(self, run: StoredRun, run_id: str) -> Any:
        """A child run of a run with its metrics, parameters and tags.

        Raises:
            NotStoredError: the run has no such child. Who may see the run may not for that see another DAG's.
        """
        found = self._tracking.fresh.get(("child", run_id), lambda: self._tracking.run(run_id))
        if found.data.tags.get("mlflow.parentRunId") != run.run_id:
            raise NotStoredError(f"Run {run.run_id} has no child run {run_id}")
        return found

    def _read(
        self, run: StoredRun, path: str, table: tables.Table, only: pl.Expr | None = None, of: str | None = None
    ) -> pl.DataFrame:
        """A table of a run, or of one of its child runs; what cannot be read is reported, and a run passed over."""
        owner = of or run.run_id
        try:
            load = self._tracking.download(owner, table.most_bytes)
            return tables.read(self._files.get(f"{owner}-{run.version}", path, load), table, only)
        except UnreadableError as error:
            self.unreadable.add(UnreadableRun(run.experiment, owner, run.dags, f"{path}: {error}"), run.version)
            raise
