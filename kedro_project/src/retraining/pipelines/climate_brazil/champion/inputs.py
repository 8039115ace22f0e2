"""What the node `compare` gets beside the facts and scores of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from retraining.pipelines.climate_brazil.fleet.learnt_fleet import LearntFleet
from retraining.pipelines.climate_brazil.inputs import Inputs
from retraining.pipelines.climate_brazil.structural import Posterior


@dataclass(frozen=True)
class Trained(Inputs):
    """What a run has made of its series.

    Attributes:
        forecasts: forecast table of each series (`tables.FORECAST_SCHEMA`), read when called.
        posteriors: of each series, read when called.
        table: the observations, (series, date, temperature in °C).
        children: id of the child run by series.
        fleet: what the series have taught each other.
    """

    forecasts: Mapping[str, Callable[[], pl.DataFrame]]
    posteriors: Mapping[str, Callable[[], Posterior]]
    table: pl.DataFrame
    children: Mapping[str, str]
    fleet: LearntFleet
