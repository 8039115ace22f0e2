"""What the nodes of the namespace `series` get: tables, a shard, settings, and which artifacts are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.fleet.learnt_fleet import LearntFleet
from retraining.pipelines.climate_brazil.inputs import Inputs
from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.structural import InferenceConfig, ModelConfig


@dataclass(frozen=True)
class TrainingData(Inputs):
    """Tables of all series: months to train on and months held out (series, date, temperature in °C).

    Attributes:
        fleet: what the series have taught each other.
        entries: label and file by series.
    """

    training: pl.LazyFrame
    holdout: pl.LazyFrame
    fleet: LearntFleet
    entries: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Shard(Inputs):
    """The series of one task.

    Attributes:
        series: ids; empty for all of them.
        finished: fingerprint of each finished child run, by series.
        results: row of each series that is stored already, read when called.
    """

    series: Sequence[str]
    finished: Mapping[str, str]
    results: Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class TrainingSettings(Inputs):
    """What decides the results of a series, beside its data.

    Attributes:
        contract: from how many observed months on a series gets a model of its own.
    """

    model: ModelConfig
    inference: InferenceConfig
    n_ahead: int
    seed: int
    min_years_own_slope: int
    contract: Contract


@dataclass(frozen=True)
class Artifacts(Inputs):
    """Which artifacts a child run keeps."""

    series_artifacts: Sequence[str]
    log_artifacts: bool

    @cached_property
    def kept(self) -> frozenset[str]:
        """Their names, none where artifacts are switched off."""
        return frozenset(self.series_artifacts) if self.log_artifacts else frozenset()


@dataclass(frozen=True)
class SeriesResults(Inputs):
    """What was made of each series, by id; a `Failure` where a step failed."""

    scores: dict[str, Any]
    posteriors: dict[str, Any]
    plots: dict[str, Any]
    tables: dict[str, Any]
