"""A whole fleet in one call: learn what its series teach each other, decide whether to use it, fit them all.

fleet = fit_fleet(table, FleetConfig(model=ModelConfig(transform="auto")))
forecasts = fleet.forecast(12)
"""

import logging
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .config import InferenceConfig, ModelConfig
from .errors import StructuralError
from .fitting import fit
from .fleet_gate import Decision, decide, sampled
from .fleet_prior import FleetPrior, learn_fleet
from .forecast import Forecast
from .grouping import group_climatology
from .posterior import Posterior
from .series import MIN_OBSERVED_MONTHS, Series
from .tables import Table, series_of

log = logging.getLogger(__name__)


class FleetConfig(BaseModel):
    """How a fleet is fitted.

    Attributes:
        model: two windows by default, which win beside a fleet's prior (docs/benchmarks.md).
        fleet_prior: auto uses it where it wins on the fleet's own past; on and off decide.
        donors: of more series a seeded sample of so many teaches.
        least: observed months (quarters) below which a series gets the climatology of its group.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelConfig = ModelConfig(recent_years=10)
    inference: InferenceConfig = InferenceConfig()
    fleet_prior: Literal["auto", "on", "off"] = "auto"
    donors: int = Field(500, ge=5)
    least: int = Field(MIN_OBSERVED_MONTHS, ge=MIN_OBSERVED_MONTHS)
    seed: int = Field(0, ge=0)


@dataclass(frozen=True, eq=False)
class FittedFleet:
    """What was fitted.

    Attributes:
        posteriors: by series.
        prior: what the donors teach; kept and handed to `fit` it serves a series that is alone.
        decision: whether it was used, and why.
        borrowed: series that are too short for a posterior, with the reason; their forecasts are a group's climatology.
        failed: why a series has no forecast.
    """

    posteriors: dict[str, Posterior]
    prior: FleetPrior
    decision: Decision
    borrowed: dict[str, str]
    failed: dict[str, str]
    series: dict[str, Series]
    groups: dict[str, str]

    def forecast(self, n_ahead: int) -> dict[str, Forecast]:
        """Forecasts by series, in the order of the table; flagged ones are keys of `borrowed`."""
        out = {}
        for name in self.series:
            if name in self.posteriors:
                out[name] = self.posteriors[name].forecast(n_ahead)
            elif name in self.borrowed:
                lenders = self._lenders(name)
                log = bool(lenders) and all(self.posteriors[one.id].is_log for one in lenders)
                out[name] = group_climatology(self.series[name], lenders, n_ahead, log)
        return out

    def _lenders(self, name: str) -> list[Series]:
        """Series of its group with a posterior; of the whole fleet where the group has none."""
        group = self.groups.get(name)
        own = [one for one in self.posteriors if one != name and self.groups.get(one) == group]
        return [self.series[one] for one in own or self.posteriors]


def fit_fleet(table: Table, config: FleetConfig | None = None, *, prior: FleetPrior | None = None) -> FittedFleet:
    """Fit every series of a long table.

    fit_fleet({"series": [...], "date": [...], "value": [...]}).forecast(12)["rio"].interval(0.8)

    Args:
        table: columns `series`, `date`, `value` and, if there are any, `group` (see `series_of`).
        config: of model, inference and fleet.
        prior: what an earlier fleet has taught, for a table that has too few series to teach. It is used as it is,
            without a comparison, unless `fleet_prior` is off.

    Raises:
        InvalidSeriesError: the table is no such table.
    """
    config = config or FleetConfig()
    series, groups = series_of(table, config.model.period)
    long = {name: one for name, one in series.items() if one.observed.sum() >= config.least}
    own, failed = _each(long, config, None, {})
    teachers = sampled(list(own), config.donors, config.seed)
    learnt = prior or learn_fleet(own[name] for name in teachers)
    decision = _decision(config, list(long.values()), prior is not None)
    log.info("fleet prior %s: %s", "used" if decision.used else "not used", decision.reason)
    if decision.used:
        own, worse = _each({name: long[name] for name in own}, config, learnt, own)
        failed |= worse
    borrowed = {
        name: f"{int(one.observed.sum())} observed months, fewer than {config.least}: climatology of its group"
        for name, one in series.items()
        if name not in long
    }
    return FittedFleet(own, learnt, decision, borrowed, failed, series, groups)


def _decision(config: FleetConfig, fleet: list[Series], given: bool) -> Decision:
    if config.fleet_prior != "auto":
        return Decision(config.fleet_prior == "on", f"fleet_prior: {config.fleet_prior}")
    if given:
        return Decision(True, "an earlier fleet's prior was given")
    return decide(fleet, config.model, config.inference, config.seed)


def _each(
    series: dict[str, Series], config: FleetConfig, prior: FleetPrior | None, earlier: dict[str, Posterior]
) -> tuple[dict[str, Posterior], dict[str, str]]:
    """Posteriors, and the reason of each series that has none."""
    done: dict[str, Posterior] = {}
    failed: dict[str, str] = {}
    for name, one in series.items():
        before = earlier.get(name)
        model, start = (config.model, None) if before is None else (before.model, before.start)
        try:
            done[name] = fit(one, model, config.inference, seed=config.seed, start=start, fleet=prior)
        except StructuralError as error:
            failed[name] = str(error)
            log.warning("%s", error)
    return done, failed
