"""What one run's series have taught, as every shard, the report and the next run read it: plain JSON, no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from retraining.pipelines.climate_brazil.structural import (
    Decision,
    FleetFileError,
    FleetPrior,
    GroupClimate,
    ModelConfig,
    Posterior,
    Series,
    Start,
    with_pooled_slope,
)
from retraining.pipelines.climate_brazil.structural.proposal import Proposal
from retraining.pipelines.climate_brazil.structural.transform import settle_transform

#: Among the files of a registered version.
FLEET_FILE = "fleet.json"


class DonorFit(BaseModel):
    """Where the fit of one donor ended: its series' own fit goes on from there.

    Attributes:
        transform: that its model was settled on.
        mode: of log theta.
        location: of the proposal.
        scale: of the proposal, a triangle.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    transform: Literal["none", "log"]
    mode: tuple[float, float, float]
    location: tuple[float, float, float]
    scale: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

    @classmethod
    def of(cls, posterior: Posterior) -> DonorFit:
        """From the donor's posterior."""
        start = posterior.start
        assert start is not None  # a donor has a posterior
        return cls.model_validate(
            {
                "transform": "log" if posterior.is_log else "none",
                "mode": start.mode.tolist(),
                "location": start.proposal.location.tolist(),
                "scale": start.proposal.scale.tolist(),
            }
        )

    @property
    def start(self) -> Start:
        """For `fit`."""
        return Start(np.array(self.mode), Proposal(np.array(self.location), np.array(self.scale)))


class LearntFleet(BaseModel):
    """What was learnt, and whether it is used.

    Attributes:
        model: that the donors were fitted with, one by one; what they taught holds for this model alone.
        prior: what the donors teach.
        slopes: of long histories, by least squares, °C per decade: the prior of a slope where the rest is not used.
        decision: of the gate, or of the configuration.
        recent_years: second window of the forecasts of series that borrow; None: never.
        climates: of each group of series, and under "" of all of them: for series that are too short for a model.
        fits: of this run's donors, by series.
        from_champion: donors whose numbers are the champion's, because this run lacks them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1] = 1
    model: ModelConfig
    prior: FleetPrior
    slopes: dict[str, float] = {}
    decision: Decision
    recent_years: int | None = None
    climates: dict[str, GroupClimate] = {}
    fits: dict[str, DonorFit] = {}
    from_champion: tuple[str, ...] = ()

    def model_for(self, series: Series, model: ModelConfig, min_years_own_slope: float) -> ModelConfig:
        """The model of one series: with what the others have taught, where that is used, else with their slopes.

        fleet.model_for(series, ModelConfig(), 100)

        Args:
            series: its history; it is never among those that teach it.
            model: as configured.
            min_years_own_slope: years of history below which a slope takes the others' as prior (see `pooling`).
        """
        if not self.decision.used:
            return with_pooled_slope(model, series, self.slopes, min_years_own_slope)
        known = self.fits.get(series.id)
        settled = model.model_copy(update={"transform": known.transform}) if known else settle_transform(series, model)
        taught = self.prior.model_for(series.id, settled)
        if taught is settled:  # too few donors of its kind
            return with_pooled_slope(settled, series, self.slopes, min_years_own_slope)
        return taught.model_copy(update={"recent_years": model.recent_years or self.recent_years})

    def climate(self, group: str) -> GroupClimate | None:
        """Of a group, or of the whole fleet where nobody of the group lends; None where nobody lends at all."""
        return self.climates.get(group) or self.climates.get("")

    def start(self, series_id: str) -> Start | None:
        """Where the fit of a series may begin; None where it is no donor of this run."""
        known = self.fits.get(series_id)
        return known.start if known else None

    @property
    def in_words(self) -> str:
        """One sentence: whether series borrow, and why."""
        return f"Series {'borrow' if self.decision.used else 'do not borrow'} from each other: {self.decision.reason}."

    def facts(self) -> Mapping[str, float]:
        """Numbers of the run: donors, whether the prior is used, and the CRPS of both ways in sds of the series."""
        decision = self.decision
        found = {"donors": float(len(self.prior.donors)), "prior_used": float(decision.used)}
        if decision.with_fleet is not None and decision.without is not None:
            found |= {"crps_with_prior": decision.with_fleet, "crps_without_prior": decision.without}
            found |= {"gate_origins": float(decision.origins), "gate_cases": float(decision.cases)}
        return {f"fleet_{name}": value for name, value in found.items()}

    def to_json(self) -> bytes:
        """The file."""
        return self.model_dump_json().encode()

    @classmethod
    def from_json(cls, text: bytes) -> LearntFleet:
        """Inverse of `to_json`.

        Raises:
            FleetFileError: the file is something else.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise FleetFileError.of(error, "not what a fleet of this version has learnt", "learn it again") from None
