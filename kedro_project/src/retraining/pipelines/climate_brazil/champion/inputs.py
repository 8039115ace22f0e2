"""What the node `compare` gets beside the facts and scores of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.inputs import Inputs
from retraining.pipelines.climate_brazil.parameters import Monitoring
from retraining.pipelines.climate_brazil.structural import InferenceConfig, ModelConfig, Posterior


@dataclass(frozen=True)
class Trained(Inputs):
    """What a run has made of its series.

    Attributes:
        forecasts: forecast table of each series (`tables.FORECAST_SCHEMA`), read when called.
        posteriors: of each series, read when called.
        table: the observations, (series, date, temperature in °C).
        children: id of the child run by series.
    """

    forecasts: Mapping[str, Callable[[], pl.DataFrame]]
    posteriors: Mapping[str, Callable[[], Posterior]]
    table: pl.DataFrame
    children: Mapping[str, str]


@dataclass(frozen=True)
class ComparisonSettings(Inputs):
    """Parameters that a version of the fleet model is made with.

    Attributes:
        series: ids that were asked for; empty for all of them.
    """

    series: Sequence[str]
    model: ModelConfig
    inference: InferenceConfig
    n_ahead: int
    testing_window: int
    monitoring: Monitoring

    def recorded(self) -> dict[str, Any]:
        """What decides the forecasts, as a tree of plain values, to be compared with the champion's."""
        return {
            "model": self.model.model_dump(mode="json"),
            "inference": self.inference.model_dump(mode="json"),
            "n_ahead": self.n_ahead,
            "testing_window": self.testing_window,
        }
