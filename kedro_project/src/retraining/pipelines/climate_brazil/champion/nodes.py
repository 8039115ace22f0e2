"""Node `compare`: the run beside the champion, and what a new version of the fleet model is made of."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from retraining.pipelines.climate_brazil.champion.comparison import held_out_crps, shared_crps
from retraining.pipelines.climate_brazil.champion.inputs import Trained
from retraining.pipelines.climate_brazil.champion.remarks import Snapshot, remarks
from retraining.pipelines.climate_brazil.figures.champion import forecasts_figure, scores_figure
from retraining.pipelines.climate_brazil.figures.png import figure_png
from retraining.pipelines.climate_brazil.fleet.learnt_fleet import FLEET_FILE
from retraining.pipelines.climate_brazil.parameters import Monitoring
from retraining.pipelines.climate_brazil.report.inputs import RunFacts, Scored
from retraining.pipelines.climate_brazil.report.overview import FleetStatus, overview
from retraining.pipelines.climate_brazil.series.gate import passes_gate
from retraining.pipelines.climate_brazil.series.scores import pooled_scores
from retraining.pipelines.climate_brazil.series.tables import FORECAST_SCHEMA, parquet
from retraining.pipelines.climate_brazil.structural import Fleet, InferenceConfig, pack
from tracked_kedro.promotion.evidence import Evidence, Version, comparable
from tracked_kedro.promotion.training_inputs import TrainingInputs

log = logging.getLogger(__name__)

POSTERIORS, FORECASTS = "posteriors.npz", "forecasts.parquet"
# At most 1 observation in 1,000 of sound data is doubtful.
USUAL_FLAGGED_SHARE = 0.001
# Where the catalog keeps the pictures among the run's artifacts.
PICTURES = "figures/beside_champion"
CAPTIONS = {"scores": "Held-out CRPS of challenger and champion", "forecasts": "Forecasts of challenger and champion"}


def compare(
    scored: Scored,
    run: RunFacts,
    trained: Trained,
    champion: Version | None,
    monitored: Mapping[str, Any],
    inputs: Mapping[str, Any],
    series: Sequence[str],
    inference: InferenceConfig,
    monitoring: Monitoring,
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, bytes], dict[str, Any], dict[str, bytes]]:
    """Set the run beside the champion, and put together the model of the whole fleet.

    A series of the champion that this run has not trained (its file is bad or absent, or it failed) is carried over
    with the champion's posterior and forecasts; nothing is between simulated and real data. `inputs` are the run's
    `TrainingInputs`.

    Returns:
        All forecasts (`series_tables.FORECAST_SCHEMA`), the overview (`overview.SCHEMA`), pictures beside the champion,
        the evidence, and the files of the model.
    """
    served, champion = champion, comparable(champion, run.simulated)
    scores, labels = scored.rows(), scored.labels
    finished = [row["series"] for row in scores if row["status"] == "finished"]

    champions = pl.DataFrame(schema=FORECAST_SCHEMA)
    before, carried, own = None, [], set(finished)
    if champion is not None:
        champions = pl.read_parquet(io.BytesIO(champion.file(FORECASTS)))
        before = Fleet(champion.file(POSTERIORS))
        carried = [one for one in before.ids if one not in own]
    forecasts = [trained.forecasts[one]() for one in finished]
    everything = pl.concat([*forecasts, champions.filter(pl.col("series").is_in(carried))])
    observed, observed_before = trained.table.select("series", "date", "temperature"), _observed(before)
    all_observed = pl.concat([observed, observed_before.filter(~pl.col("series").is_in(observed["series"].unique()))])

    members = own.union(carried)
    order = [one for one in labels if one in members] + [one for one in carried if one not in labels]
    # One posterior at a time: those of a large fleet do not fit into memory at once.
    kept = (before.posterior(one) if before and one not in own else trained.posteriors[one]() for one in order)

    held_out = held_out_crps(everything, champions, finished)
    figures = {
        "scores": scores_figure(held_out, labels, run.simulated),
        "forecasts": forecasts_figure(everything, champions, observed, labels, run.cutoff, run.simulated),
    }
    pictures = {name: figure_png(figure) for name, figure in figures.items() if figure is not None}
    beside = {"crps": shared_crps(held_out, finished), "flagged_share": _doubtful(run, champion)}
    known = TrainingInputs.model_validate(inputs)
    incomplete = f"only {', '.join(series)} were asked for" if series else None
    sides = Snapshot(observed, everything), Snapshot(observed_before, champions)
    fleet = FleetStatus(labels, scores, run.quarantine, carried, monitored["degraded"], trained.children)
    seen = overview(fleet, all_observed, everything, run.cutoff, monitoring.max_age_months)
    for row in seen.filter(pl.col("stale")).iter_rows(named=True):
        log.warning("%s is stale: %s", row["label"], row["reason"])
    evidence = Evidence(
        metrics=_metrics(scores, inference) | {"flagged_share": run.flagged_share},
        members=tuple(order),
        cutoff=run.cutoff,
        # Never that of a doubtful cell.
        newest=date.fromisoformat(run.months["newest_observation"]),
        stale_share=_stale_share(seen),
        simulated=run.simulated,
        incomplete=incomplete or (None if order else "no series finished"),
        compared_with=champion.number if champion else None,
        shared={name: both for name, both in beside.items() if both},
        remarks=[
            *(_other_kind(served, champion) or remarks(champion, *sides, labels, known.settings, carried)),
            trained.fleet.in_words,
        ],
        **known.in_evidence(),
        pictures={CAPTIONS[name]: f"{PICTURES}/{name}.png" for name in pictures},
    )
    files = {POSTERIORS: pack(kept), FORECASTS: parquet(everything), FLEET_FILE: trained.fleet.to_json()}
    return everything, seen, pictures, evidence.model_dump(mode="json"), files


def _doubtful(run: RunFacts, champion: Version | None) -> dict[str, Any] | None:
    """Share of doubtful observations beside the champion's; None where that was not known yet."""
    before = champion.evidence.metrics.get("flagged_share") if champion else None
    if before is None:
        return None
    # What sound data may show counts as none: one wild month must not be held against a fleet for ever.
    usual = max(before, USUAL_FLAGGED_SHARE)
    return {"challenger": run.flagged_share, "champion": usual, "cases": 1, "unit": "tables"}


def _metrics(scores: Sequence[Mapping[str, Any]], inference: InferenceConfig) -> dict[str, float]:
    """Pooled scores, and the share of series whose inference can be trusted."""
    passed = sum(passes_gate(row, inference) for row in scores)
    return pooled_scores(scores) | {"gate_share": passed / max(len(scores), 1)}


def _stale_share(seen: pl.DataFrame) -> float | None:
    """Of the series that the version answers for."""
    answered = seen.filter(pl.col("status").is_in(["finished", "carried_over"]))
    return float(answered["stale"].sum()) / answered.height if answered.height else None


def _other_kind(served: Version | None, champion: Version | None) -> list[str]:
    if served is None or champion is not None:
        return []
    kind = "a simulated sample" if served.simulated else "real data"
    return [f"The champion, version {served.number}, was trained on {kind}: nothing is compared or carried over."]


def _observed(fleet: Fleet | None) -> pl.DataFrame:
    """What the posteriors of a fleet were trained on: series, date, temperature (°C, null where missing)."""
    frames = [pl.DataFrame(schema={"series": pl.String, "date": pl.Date, "temperature": pl.Float64})]
    for one in fleet.ids if fleet else []:
        data = fleet.posterior(one).series if fleet else None
        assert data is not None
        dates = pl.Series(data.months.astype("datetime64[D]")).cast(pl.Date)
        frames.append(pl.DataFrame({"series": one, "date": dates, "temperature": data.values}).fill_nan(None))
    return pl.concat(frames)
