"""What the nodes that look at a whole run get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.inputs import Inputs
from retraining.pipelines.climate_brazil.stations.doubtful import in_words


@dataclass(frozen=True)
class Scored(Inputs):
    """The series of a run and how they fared.

    Attributes:
        results: row of each series that was trained (`scores.SCHEMA`), read when called.
        series_ids: all of the run.
        entries: label and file by series.
    """

    results: Mapping[str, Callable[[], dict[str, Any]]]
    series_ids: list[str]
    entries: Mapping[str, Mapping[str, str]]

    @property
    def labels(self) -> dict[str, str]:
        """Name of each series for people."""
        return {series: entry["label"] for series, entry in self.entries.items()}

    def rows(self) -> list[dict[str, Any]]:
        """The row of each series of the run; a series whose task never came to it has failed."""
        return [self.results[one]() if one in self.results else self._never_ran(one) for one in self.series_ids]

    def _never_ran(self, series: str) -> dict[str, Any]:
        reason = "its task ended before it was its turn; see the task's log"
        return {"series": series, "label": self.entries[series]["label"], "status": "failed", "reason": reason}


@dataclass(frozen=True)
class RunFacts(Inputs):
    """Of which months and from which files a run is.

    Attributes:
        months: `cutoff` ("2019-11-01"), `month` ("2019-10"), `newest_observation` and `flagged_share`.
        origin: `origin` of the station files in words, and whether they are `simulated`.
        quarantine: series, label, file and reason of the stations that were set aside.
        flags: the doubtful observations (`doubtful.SCHEMA`), as text where they come from the stored table.
    """

    months: Mapping[str, Any]
    origin: Mapping[str, Any]
    quarantine: pl.DataFrame
    flags: pl.DataFrame

    @property
    def flagged_share(self) -> float:
        """Share of the observations trained on that are doubtful."""
        return float(self.months["flagged_share"])

    def doubts(self) -> dict[str, str]:
        """By series, its doubtful observations in words."""
        parts = self.flags.partition_by("series", as_dict=True, maintain_order=True)
        return {str(series): f"{rows['file'][0]}, {in_words(rows)}" for (series,), rows in parts.items()}

    @property
    def cutoff(self) -> date:
        """First day that was not read."""
        return date.fromisoformat(self.months["cutoff"])

    @property
    def simulated(self) -> bool:
        """Whether the observations are made up; whatever shows them says so."""
        return bool(self.origin["simulated"])
