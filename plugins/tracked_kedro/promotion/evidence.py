"""What a version of a model is judged by: plain data that a pipeline's own node makes and every other part reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from tracked_kedro.promotion.training_inputs import TrainingInputs

#: Name of the file that keeps it among a version's.
EVIDENCE_FILE = "evidence.json"


class Shared(BaseModel):
    """One metric of challenger and champion on the cases that both have forecast, scored on the same observations.

    Attributes:
        cases: how many cases they share, counted in `unit` (months, ratings, …).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    challenger: float
    champion: float
    cases: int
    unit: str = "cases"


class Evidence(BaseModel):
    """What speaks for and against a version.

    Attributes:
        metrics: scores of the model, and of what it is compared with, on held-out data.
        members: what the model can answer for (series, countries, …); empty where that is no question.
        cutoff: first day that was not read; None where the data has no time.
        newest: day of the newest observation that was used; None where the data has no time.
        stale_share: share of the members whose newest observation is too old for the cutoff; None where that is no
            question.
        simulated: whether the data is made up.
        data_digest: hash of the training data.
        incomplete: why this run must not register a version (only some of the series were asked for, …).
        compared_with: version of the champion that `shared` is about, None where there was none.
        shared: by metric; a metric that is not in it is compared as a whole with the champion's own.
        remarks: what a person who approves should know, one sentence each.
        settings: configuration and code it was made with, flat, to tell later what has changed.
        tags: what the version shall be tagged with, besides what every version is; `code` is the version of the code.
        pictures: for a person who approves: path of a PNG among the run's artifacts by caption.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: dict[str, float]
    members: tuple[str, ...] = ()
    cutoff: date | None = None
    newest: date | None = None
    stale_share: float | None = None
    simulated: bool = False
    data_digest: str | None = None
    incomplete: str | None = None
    compared_with: int | None = None
    shared: dict[str, Shared] = {}
    remarks: tuple[str, ...] = ()
    settings: dict[str, str] = {}
    tags: dict[str, str] = {}
    pictures: dict[str, str] = {}

    @property
    def training_inputs(self) -> TrainingInputs | None:
        """What it was trained on and how; None where that was not said."""
        if not self.data_digest:
            return None
        return TrainingInputs(data_digest=self.data_digest, code=self.tags.get("code"), settings=self.settings)


@dataclass(frozen=True)
class Candidate:
    """What `register` hands to the model registry: the files that the served model reads, by name, and the evidence."""

    files: Mapping[str, bytes]
    evidence: Evidence


@dataclass(frozen=True)
class Version:
    """A version of a registered model, read from the registry.

    Attributes:
        run_id: the parent run that made it.
        file: content of one of the files that the candidate had, by name.
        names: of those files; an older version may lack one that today's have.
    """

    model: str
    number: int
    run_id: str
    evidence: Evidence
    file: Callable[[str], bytes]
    names: Collection[str] = ()

    @property
    def simulated(self) -> bool:
        """Whether it was made of simulated data."""
        return self.evidence.simulated


Champion = TypeVar("Champion", Evidence, Version)


def comparable(champion: Champion | None, simulated: bool) -> Champion | None:
    """The champion, unless one of it and of this run was made of simulated data and the other was not.

    Across that border nothing is compared and nothing carried over.

    Args:
        champion: the version that is served now, or its evidence; None where there is none.
        simulated: whether the data of this run is.
    """
    return champion if champion is not None and champion.simulated == simulated else None
