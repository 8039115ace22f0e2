"""What the node `learn_fleet` gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.inputs import Inputs
from retraining.pipelines.climate_brazil.parameters import FleetSettings
from retraining.pipelines.climate_brazil.structural import InferenceConfig, ModelConfig
from tracked_kedro.promotion.evidence import Version


@dataclass(frozen=True)
class FleetData(Inputs):
    """The fleet and its past.

    Attributes:
        training: months to train on of all series (series, date, temperature in °C).
        entries: label and file by series, and its group where it has one.
        origin: whether the observations are `simulated`.
        champion: the version that is served; what its fleet has taught stands in for series that this run lacks.
        gates: earlier decisions by what they were made from, read when called.
    """

    training: pl.LazyFrame
    entries: Mapping[str, Mapping[str, str]]
    origin: Mapping[str, Any]
    champion: Version | None
    gates: Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class LearningSettings(Inputs):
    """What decides what is learnt, beside the data.

    Attributes:
        series: ids that were asked for; empty for all of them.
    """

    series: Sequence[str]
    model: ModelConfig
    inference: InferenceConfig
    fleet: FleetSettings
    min_years_own_slope: int
    seed: int
