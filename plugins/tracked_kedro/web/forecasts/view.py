"""What one request looks at: an experiment, one of its monthly runs, and which versions are in use."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from fastapi import HTTPException

from tracked_kedro.names import SIMULATED_TAG, UNIT_TAG
from tracked_kedro.web.access import may_read
from tracked_kedro.web.forecasts.stored import Stored, StoredRun, Version
from tracked_kedro.web.tracking import NotStoredError


@dataclass(frozen=True)
class View:
    """An experiment at one of its months.

    Attributes:
        runs: the run of each month, the newest first.
        run: the one that is looked at.
    """

    experiment: str
    runs: list[StoredRun]
    run: StoredRun
    champion: Version | None
    challenger: Version | None

    @classmethod
    def of(cls, stored: Stored, user: Any, experiment: str, month: str | None = None) -> View:
        """The view of a month, of the newest one where none is named.

        Raises:
            NotStoredError: there is no such experiment or month.
            HTTPException: 403, the user may not see the runs of this DAG.
        """
        runs = readable(stored, user, experiment)
        if month is None:
            run = runs[0]
        else:
            run = next((one for one in runs if one.month == month), runs[0])
            if run.month != month:
                near = get_close_matches(month, [one.month for one in runs], 1, 0) or [runs[0].month]
                raise NotStoredError(f"No run of {experiment} holds forecasts made after {month!r}; there is {near[0]}")
        return cls(
            experiment, runs, run, stored.version(experiment, "champion"), stored.version(experiment, "challenger")
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


def readable(stored: Stored, user: Any, experiment: str) -> list[StoredRun]:
    """Runs of an experiment that a user may see.

    Raises:
        NotStoredError: there is no such experiment, or no run in it holds forecasts.
        HTTPException: 403, the user may see none.
    """
    runs = stored.runs(experiment)
    if not runs:
        raise NotStoredError(f"No run of {experiment} holds forecasts")
    allowed = {dag: may_read(user, dag) for dag in {run.dag and run.dag[0] for run in runs}}
    seen = [run for run in runs if allowed[run.dag and run.dag[0]]]
    if not seen:
        raise HTTPException(403, f"You may not see the runs of {experiment}")
    return seen
