"""Nodes about the run as a whole: refreshing the input, describing the run, drawing the model."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from typing import Any

import plotly.graph_objects as go
import polars as pl

from retraining.pipelines import climate_brazil
from retraining.pipelines.climate_brazil import structural
from retraining.pipelines.climate_brazil.figures.model_graph import can_draw, model_graph_picture
from retraining.pipelines.climate_brazil.figures.timeseries import timeseries_figure
from retraining.pipelines.climate_brazil.parameters import Contract
from retraining.pipelines.climate_brazil.settings import TrainingSettings
from retraining.pipelines.climate_brazil.stations.holdout import MIN_TRAINING_MONTHS, train_test_split
from retraining.pipelines.climate_brazil.stations.intake import Entries, Partitions
from retraining.pipelines.climate_brazil.stations.processing import (
    Intake,
    process_datasets,
    series_ids,
)
from retraining.pipelines.climate_brazil.stations.sources import RefreshReport
from retraining.pipelines.climate_brazil.structural import (
    ModelConfig,
    model_graph,
)
from tracked_kedro.kedro_side.code_version import code_version
from tracked_kedro.kedro_side.digest import table_digest
from tracked_kedro.promotion.training_inputs import TrainingInputs

log = logging.getLogger(__name__)


def refresh(intake: tuple[RefreshReport, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bring the station files up to date from their source, where one is configured, and keep what the run will read.

    Returns:
        What became of each file; where they come from, and their digests by name.
    """
    report, manifest = intake
    return asdict(report), manifest


def process(
    partitions: Partitions,
    entries: Entries,
    series: Sequence[str],
    cutoff: str | date | None,
    contract: Contract,
    testing_window: int,
    history_start: str | date | None,
    refreshed: Mapping[str, Any],
) -> Intake:
    """Read, check and tidy the station files up to the cutoff; bad stations are set aside with their reason."""
    # `refreshed` orders this node after the refresh; it says nothing that is needed here.
    return process_datasets(
        partitions,
        entries,
        series,
        cutoff,
        contract,
        testing_window=testing_window,
        history_start=_day(history_start),
    )


def take_in(
    partitions: Partitions,
    entries: Entries,
    cutoff: str | date | None,
    contract: Contract,
    refreshed: Mapping[str, Any],
    settings: TrainingSettings,
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any], pl.DataFrame, dict[str, Any]]:
    """Read the station files, and tell what the run is about to learn from.

    Returns:
        Those of `process`, and the `TrainingInputs` as plain data.
    """
    asked, held_out, start = settings.series, settings.testing_window, settings.history_start
    intake = process(partitions, entries, asked, cutoff, contract, held_out, start, refreshed)
    table = pl.DataFrame([{"series": series, **entry} for series, entry in entries.items()])
    inputs = TrainingInputs(
        data_digest=table_digest(intake.table),
        code=code_version(climate_brazil.__name__),
        settings={**settings.recorded(contract), "series_table": table_digest(table)},
    )
    return *intake, inputs.model_dump(mode="json")


def settle_cutoff(
    partitions: Partitions,
    entries: Entries,
    series: Sequence[str],
    cutoff: str | date | None,
    contract: Contract,
    testing_window: int,
    history_start: str | date | None,
    refreshed: Mapping[str, Any],
) -> str:
    """Check the input as a run would, and tell its cutoff: the month after the newest observation if none is named."""
    intake = process(partitions, entries, series, cutoff, contract, testing_window, history_start, refreshed)
    return intake.months["cutoff"]


def split(
    table: pl.DataFrame, testing_window: int, history_start: str | date | None, contract: Contract
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]:
    """Hold out the last months of each series to score the model; list the series for the shards.

    Returns:
        Training part, held-out part, and digest of both by id.
    """
    # What borrows needs no history of its own.
    least = 0 if contract.on_short_series == "borrow" else MIN_TRAINING_MONTHS
    training, holdout = train_test_split(
        table, testing_window, history_start=_day(history_start), min_training_months=least
    )
    halves = pl.concat([training.with_columns(held_out=pl.lit(False)), holdout.with_columns(held_out=pl.lit(True))])
    digests = {series: table_digest(rows) for (series,), rows in halves.partition_by("series", as_dict=True).items()}
    keys = {series: digests.get(series, "") for series in series_ids(table)}
    return training, holdout, keys


def _day(value: str | date | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def describe_run(months: Mapping[str, Any], origin: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of the parent run: its name, month and data, and the configured ones."""
    if origin["simulated"]:
        log.warning("The stations are a simulated sample, not observations")
    return {
        "mlflow.runName": f"climate_brazil {months['month']}",
        "mlflow.note.content": (
            f"Retraining for {months['month']} on {months['n_series']} series from {origin['origin']}; nothing dated "
            f"on or after {months['cutoff']} was read. Start with `report/report.html` among the artifacts."
        ),
        "cutoff": months["cutoff"],
        "newest_observation": months["newest_observation"],
        "data_source": origin["origin"],
        "simulated": str(origin["simulated"]).lower(),
        **tags,
    }


def timeseries_plot(
    table: pl.DataFrame, entries: Mapping[str, Mapping[str, str]], origin: Mapping[str, Any]
) -> go.Figure:
    """Plot all series, interactive, with range selector."""
    labels = {series: entry["label"] for series, entry in entries.items()}
    return timeseries_figure(table, labels, origin["simulated"])


def draw_model_graph(
    model: ModelConfig, drawn: Mapping[str, Callable[[], str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Draw the model's graph, once for all runs of one configuration and one state of the engine's code.

    Returns:
        The graph under its file name, and what to add to the graphs already drawn. Without Graphviz's `dot` it
        is Mermaid text, which many viewers draw; where `dot` came since, the text is drawn after all.
    """
    facts = (code_version(structural.__name__), version("pymc"), model.model_dump_json())
    key = hashlib.sha256("|".join(facts).encode()).hexdigest()[:12]
    picture, text = f"{key}.svg", f"{key}.mmd"
    if picture in drawn:
        return {"model_graph.svg": drawn[picture]()}, {}
    if can_draw():
        made = model_graph_picture(model_graph(model, format="dot"))
        if made is not None:
            return {"model_graph.svg": made}, {picture: made}
    else:
        log.warning(
            "Graphviz's `dot` is missing: the model graph is Mermaid text. `apt-get install graphviz` draws it."
        )
    if text in drawn:
        return {"model_graph.mmd": drawn[text]()}, {}
    written = model_graph(model, format="mermaid")
    return {"model_graph.mmd": written}, {text: written}
