"""Parent runs as the page knows them, and those that it cannot read."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from math import nan
from typing import Any

from tracked_kedro import names
from tracked_kedro.month import month_before

log = logging.getLogger(__name__)

_LONGEST_TAG = 300  # characters
_LARGEST = 1e100  # its square is a number still
#: Pooled scores of a parent run that the page draws by month. Lower is better.
SCORES = {"crps": "CRPS", "rmse": "RMSE"}


@dataclass(frozen=True)
class StoredRun:
    """A parent run that has ended and holds forecasts.

    Attributes:
        experiment: name of its experiment.
        version: changes when the run is done again.
        month: the last month that it read, YYYY-MM.
        dags: the DAGs whose runs a person must be allowed to see to see this one.
        scores: pooled ones that it has logged, those of `SCORES`.
    """

    experiment: str
    run_id: str
    version: str
    month: str
    dags: frozenset[str]
    tags: dict[str, str] = field(repr=False, compare=False)
    scores: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    @property
    def promoted(self) -> bool:
        """Whether its model has become champion, then or later."""
        return self.tags.get(names.PROMOTION_TAG, "").startswith("promoted")

    @property
    def dag(self) -> tuple[str, str] | None:
        """Ids of the DAG and the DAG run; None where it was not run by Airflow."""
        ids = self.tags.get(names.DAG_ID_TAG), self.tags.get(names.DAG_RUN_ID_TAG)
        return (ids[0], ids[1]) if ids[0] and ids[1] else None


def stored_run(run: Any, experiment: str, dags: frozenset[str]) -> StoredRun:
    """A run of MLflow's as the page wants it, its tags short and printable.

    Raises:
        ValueError, TypeError, OSError, OverflowError: its cutoff, or its end where it has none, is no date.
    """
    tags = {str(name): short(value) for name, value in run.data.tags.items()}
    cutoff = tags.get(names.CUTOFF)
    month = month_before(date.fromisoformat(cutoff[:10])) if cutoff else _month_of(run.info.end_time)
    metrics = run.data.metrics
    scores = {name: metrics[name] for name in SCORES if abs(metrics.get(name, nan)) < _LARGEST}
    return StoredRun(experiment, run.info.run_id, str(run.info.end_time), month, dags, tags, scores)


def short(text: Any) -> str:
    """A text that a page can show and a database can be asked for: no control characters, no end of it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text)[:_LONGEST_TAG])


@dataclass(frozen=True)
class UnderWay:
    """A parent run that has not ended.

    Attributes:
        month: the last month that it reads, None where it does not say so yet.
        since: when it began, in UTC.
        done: how many of its series are finished; None before the first.
        dag: ids of the DAG and the DAG run.
    """

    month: str | None
    since: str
    done: int | None
    dags: frozenset[str]
    dag: tuple[str, str] | None


def under_way(run: Any, dags: frozenset[str]) -> UnderWay:
    """A run of MLflow's that has not ended.

    Raises:
        ValueError, TypeError, OSError, OverflowError: its cutoff or its start is no date.
    """
    tags = {str(name): short(value) for name, value in run.data.tags.items()}
    cutoff, done = tags.get(names.CUTOFF), run.data.metrics.get(names.DONE_METRIC)
    month = month_before(date.fromisoformat(cutoff[:10])) if cutoff else None
    since = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
    ids = tags.get(names.DAG_ID_TAG), tags.get(names.DAG_RUN_ID_TAG)
    dag = (ids[0], ids[1]) if ids[0] and ids[1] else None
    return UnderWay(month, f"{since:%Y-%m-%d %H:%M}", None if done is None else int(done), dags, dag)


def _month_of(milliseconds: int) -> str:
    when = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{when.year:04d}-{when.month:02d}"


@dataclass(frozen=True)
class UnreadableRun:
    """A run that cannot be read, and why, in words of this library's own."""

    experiment: str
    run_id: str
    dags: frozenset[str]
    reason: str


class Unreadable:
    """The runs that cannot be read, as far as they are known; each is logged once. Safe to use from many threads."""

    def __init__(self, most: int = 2_000) -> None:
        self._most = most
        self._runs: OrderedDict[tuple[str, str], UnreadableRun] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, run: UnreadableRun, version: str) -> None:
        """Pass this version of a run over from now on."""
        with self._lock:
            new = (run.run_id, version) not in self._runs
            self._runs[run.run_id, version] = run
            while len(self._runs) > self._most:
                self._runs.popitem(last=False)
        if new:
            log.warning("Run %s is passed over: %s", run.run_id, run.reason)

    def __contains__(self, run: StoredRun) -> bool:
        return (run.run_id, run.version) in self._runs

    def of(self, experiment: str) -> list[UnreadableRun]:
        """Those of an experiment, the one found last first."""
        with self._lock:
            return [run for run in reversed(self._runs.values()) if run.experiment == experiment]
