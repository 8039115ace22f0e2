"""Parameters that decide what a run learns: recorded with each version, and compared before the next is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from retraining.pipelines.climate_brazil.inputs import Inputs
from retraining.pipelines.climate_brazil.parameters import Contract, FleetSettings
from retraining.pipelines.climate_brazil.structural import InferenceConfig, ModelConfig


@dataclass(frozen=True)
class TrainingSettings(Inputs):
    """Parameters that a version of the fleet model is made with.

    Attributes:
        series: ids that were asked for; empty for all of them.
        seed: every random number derives from it and the series' id.
    """

    series: Sequence[str]
    model: ModelConfig
    inference: InferenceConfig
    fleet: FleetSettings
    n_ahead: int
    testing_window: int
    history_start: str | date | None
    min_years_own_slope: int
    seed: int

    def recorded(self, contract: Contract) -> dict[str, str]:
        """What decides the forecasts, flat, to be compared with the champion's."""
        tree = {
            "contract": contract.model_dump(mode="json"),
            "model": self.model.model_dump(mode="json"),
            "inference": self.inference.model_dump(mode="json"),
            "fleet": self.fleet.model_dump(mode="json"),
            "n_ahead": self.n_ahead,
            "testing_window": self.testing_window,
            "history_start": self.history_start,
            "min_years_own_slope": self.min_years_own_slope,
            "seed": self.seed,
        }
        return {key: str(value) for key, value in flat(tree).items()}


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
