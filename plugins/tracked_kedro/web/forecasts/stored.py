"""What the page reads: parent runs, their tables and the champion, through the tracking server and kept a while.

A run that has ended does not change, so its tables are kept by its id and end; what can change is asked again after
seconds. Requires nothing of a pipeline but these artifacts: `forecasts/overview.parquet` and
`forecasts/forecasts.parquet` of the parent run, `series.parquet` of the child runs.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from tracked_kedro import names
from tracked_kedro.month import month_before
from tracked_kedro.paging import paged
from tracked_kedro.web.forecasts.kept import Files
from tracked_kedro.web.fresh import Fresh
from tracked_kedro.web.tracking import NotStoredError, Tracking

log = logging.getLogger(__name__)

OVERVIEW = "forecasts/overview.parquet"
FORECASTS = "forecasts/forecasts.parquet"
SERIES = "series.parquet"

_MOST_RUNS = 240
_AT_ONCE = 8  # requests to the tracking server


@dataclass(frozen=True)
class StoredRun:
    """A parent run that has ended and holds forecasts.

    Attributes:
        version: changes when the run is done again.
        month: the last month that it read, YYYY-MM.
        dag: its DAG and DAG run, None where it was not run by Airflow.
    """

    run_id: str
    version: str
    month: str
    name: str
    status: str
    tags: dict[str, str] = field(repr=False, compare=False)

    @property
    def dag(self) -> tuple[str, str] | None:
        """Ids of the DAG and the DAG run."""
        ids = self.tags.get(names.DAG_ID_TAG), self.tags.get(names.DAG_RUN_ID_TAG)
        return (ids[0], ids[1]) if ids[0] and ids[1] else None


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
        self._unreadable: set[str] = set()
        self._frames = Fresh(3600.0, most=24)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="forecasts-page")
        self._lock = threading.Lock()

    @property
    def _client(self) -> Any:
        return self._tracking.client

    def experiments(self) -> list[str]:
        """Names of the experiments whose runs hold forecasts, in alphabetical order."""

        def ask() -> list[str]:
            found = paged(self._client.search_experiments)
            return sorted(one.name for one in found if self.runs(one.name))

        return self._tracking.fresh.get(("experiments",), ask)

    def runs(self, experiment: str) -> list[StoredRun]:
        """The run of each month that holds forecasts, the newest first; empty where there is none.

        Of several runs of a month it is the one that ended last.

        Raises:
            NotStoredError: there is no such experiment.
        """
        return self._tracking.fresh.get(("runs", experiment), lambda: self._ask_runs(experiment))

    def _ask_runs(self, experiment: str) -> list[StoredRun]:
        ended = self._ended(experiment)
        holding = [run for run, holds in zip(ended, self._pool.map(self._holds_forecasts, ended), strict=True) if holds]
        by_month: dict[str, StoredRun] = {}
        for run in holding:
            by_month.setdefault(run.month, run)
        return [by_month[month] for month in sorted(by_month, reverse=True)]

    def _ended(self, experiment: str) -> list[StoredRun]:
        """Its parent runs that have ended, whatever they hold; the last one first."""
        return self._tracking.fresh.get(("ended", experiment), lambda: self._ask_ended(experiment))

    def _ask_ended(self, experiment: str) -> list[StoredRun]:
        found = self._client.get_experiment_by_name(experiment)
        if found is None:
            raise NotStoredError(f"There is no experiment {experiment!r} on the tracking server")
        parents = self._client.search_runs(
            [found.experiment_id],
            "tags.`mlflow.parentRunId` IS NULL",
            max_results=_MOST_RUNS,
            order_by=["attributes.end_time DESC"],
        )
        readable = (self._readable(run) for run in parents if run.info.status in ("FINISHED", "FAILED"))
        return [run for run in readable if run is not None]

    def _readable(self, run: Any) -> StoredRun | None:
        """A parent run as the page wants it; None, and a line in the log once, where its tags are not as ours are."""
        try:
            return _stored(run)
        except (ValueError, TypeError, OSError, OverflowError) as error:
            # Whoever may write to the tracking server may have made it: it is no reason to show nobody anything.
            if run.info.run_id not in self._unreadable:
                self._unreadable.add(run.info.run_id)
                log.warning("Run %s is passed over: %s", run.info.run_id, type(error).__name__)
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
        """One row per series of the run."""
        return self._frames.get((run.run_id, run.version), lambda: pl.read_parquet(self._file(run, OVERVIEW)))

    def read_newest(self) -> None:
        """Keep the newest overview of each experiment."""
        for experiment in self.experiments():
            self.overview(self.runs(experiment)[0])

    def forecasts(self, run: StoredRun, series: str | None = None) -> pl.DataFrame:
        """Held-out and ahead forecasts of one series, or of all."""
        lazy = pl.scan_parquet(self._file(run, FORECASTS))
        return (lazy if series is None else lazy.filter(pl.col("series") == series)).collect()

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
            return pl.read_parquet(
                self._files.get(f"{child_run_id}-{run.version}", SERIES, self._tracking.download(child_run_id))
            )
        except NotStoredError:
            return None

    def child(self, run_id: str) -> Any:
        """A child run with its metrics, parameters and tags."""
        return self._tracking.fresh.get(("child", run_id), lambda: self._client.get_run(run_id))

    def _file(self, run: StoredRun, path: str) -> str:
        return self._files.get(f"{run.run_id}-{run.version}", path, self._tracking.download(run.run_id))


def _stored(run: Any) -> StoredRun:
    tags = dict(run.data.tags)
    cutoff = tags.get(names.CUTOFF)
    month = month_before(date.fromisoformat(cutoff[:10])) if cutoff else _month_of(run.info.end_time)
    return StoredRun(run.info.run_id, str(run.info.end_time), month, run.info.run_name, run.info.status, tags)


def _month_of(milliseconds: int) -> str:
    when = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{when.year:04d}-{when.month:02d}"
