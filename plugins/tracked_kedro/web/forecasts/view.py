"""What one request looks at: an experiment, one of its monthly runs, and which versions are in use."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from fastapi import HTTPException

from tracked_kedro.names import SIMULATED_TAG, UNIT_TAG
from tracked_kedro.web.access import may_read
from tracked_kedro.web.forecasts.runs import StoredRun, UnderWay, UnreadableRun
from tracked_kedro.web.forecasts.stored import Stored, Version
from tracked_kedro.web.tracking import NotStoredError, UnreadableError

# Runs of one month, or newest ones, whose tables are tried for one answer; the next answer goes on from there.
_MOST_TRIED = 8


@dataclass(frozen=True)
class View:
    """An experiment at one of its months.

    Attributes:
        runs: the run of each month, the newest first.
        run: the one that is looked at.
        unreadable: runs that are passed over, because they cannot be read.
        under_way: runs that have not ended; what is shown is the last one that has.
    """

    experiment: str
    runs: list[StoredRun]
    run: StoredRun
    champion: Version | None
    challenger: Version | None
    unreadable: list[UnreadableRun]
    under_way: list[UnderWay]

    @classmethod
    def of(cls, stored: Stored, user: Any, experiment: str, month: str | None = None) -> View:
        """The view of a month, of the newest one where none is named.

        Raises:
            NotStoredError: there is no such experiment or month.
            HTTPException: 403, the user may not see the runs of this DAG.
        """
        runs, run = _chosen(stored, user, experiment, month)
        return cls(
            experiment,
            runs,
            run,
            stored.version(experiment, "champion"),
            stored.version(experiment, "challenger"),
            [one for one in stored.unreadable.of(experiment) if may_read(user, one.dags)],
            [one for one in stored.under_way(experiment) if may_read(user, one.dags)],
        )

    @property
    def promoted(self) -> bool:
        """Whether the run's model is the champion."""
        return self.champion is not None and self.champion.run_id == self.run.run_id

    @property
    def newest(self) -> bool:
        """Whether no later month is known."""
        return self.run == self.runs[0]

    @property
    def unit(self) -> str:
        """Unit of the numbers, as the run's tag says it."""
        return self.run.tags.get(UNIT_TAG, "")

    @property
    def simulated(self) -> bool:
        """Whether the run says that its data are made up."""
        return self.run.tags.get(SIMULATED_TAG) == "true"

    def role(self, run: StoredRun) -> str:
        """What a run's version is in use as, for people; empty for neither."""
        for name, version in (("champion", self.champion), ("challenger", self.challenger)):
            if version is not None and version.run_id == run.run_id:
                return f"{name}, version {version.number}"
        return ""

    def in_use(self) -> list[StoredRun]:
        """Runs of champion and challenger that are not the one looked at, as far as they hold forecasts."""
        wanted = {version.run_id for version in (self.champion, self.challenger) if version is not None}
        return [run for run in self.runs if run.run_id in wanted and run != self.run]


def _chosen(stored: Stored, user: Any, experiment: str, month: str | None) -> tuple[list[StoredRun], StoredRun]:
    """The runs, and the one of the month or the newest: the first of them whose table can be read."""
    for _ in range(_MOST_TRIED):
        runs = readable(stored, user, experiment)
        run = runs[0] if month is None else next((one for one in runs if one.month == month), None)
        if run is None:
            near = get_close_matches(str(month)[:10], [one.month for one in runs], 1, 0) or [runs[0].month]
            raise NotStoredError(f"No run of {experiment} holds forecasts made after {month!r}; there is {near[0]}")
        with contextlib.suppress(UnreadableError):
            stored.overview(run)
            return runs, run
    raise NotStoredError(f"None of {_MOST_TRIED} runs of {experiment} can be read; Airflow's log says why")


def readable(stored: Stored, user: Any, experiment: str) -> list[StoredRun]:
    """Runs of an experiment that a user may see.

    Raises:
        NotStoredError: there is no such experiment, or no run in it holds forecasts.
        HTTPException: 403, the user may see none.
    """
    runs = stored.runs(experiment)
    if not runs:
        raise NotStoredError(f"No run of {experiment} holds forecasts")
    allowed = {dags: may_read(user, dags) for dags in {run.dags for run in runs}}
    seen = [run for run in runs if allowed[run.dags]]
    if not seen:
        raise HTTPException(403, f"You may not see the runs of {experiment}")
    return seen
