"""Fleets that have learnt something, or nothing."""

from typing import Any

from retraining.pipelines.climate_brazil.fleet.learnt_fleet import LearntFleet
from retraining.pipelines.climate_brazil.structural import Decision, Donor, FleetPrior, ModelConfig

#: Six series that teach.
DONORS = FleetPrior(
    period=12,
    donors=tuple(
        Donor(
            series=f"other_{i}",
            transform="none",
            shape=(0.5 + i / 20, 1.0 + i / 10),
            spread=(0.1, 0.0, 0.1),
            season=(2.0, *[0.05] * 5),
            slope=(i / 10, 0.02),
            sd=1.5,
        )
        for i in range(6)
    ),
)


def unused(**slopes: float) -> LearntFleet:
    """A fleet that has learnt slopes at most."""
    off = Decision(False, "fleet.prior: off")
    return LearntFleet(model=ModelConfig(), prior=FleetPrior(period=12, donors=()), slopes=slopes, decision=off)


def borrowing(**changed: Any) -> LearntFleet:
    """A fleet whose series borrow, in two windows."""
    won = Decision(True, "CRPS 0.274 with the fleet's prior, 0.284 without, in sds of the series", 0.274, 0.284, 36, 3)
    known: dict[str, Any] = {"model": ModelConfig(), "prior": DONORS, "decision": won, "recent_years": 10}
    return LearntFleet(**known | changed)
