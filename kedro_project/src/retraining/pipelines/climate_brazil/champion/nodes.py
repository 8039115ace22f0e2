"""Node `compare`: the run beside the champion, and what a new version of the fleet model is made of."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from retraining.pipelines import climate_brazil
from retraining.pipelines.climate_brazil.champion.comparison import (
    SHOWN,
    changed_settings,
    changes,
    flat,
    passes_gate,
    shared_crps,
)
from retraining.pipelines.climate_brazil.figures.champion import forecasts_figure, scores_figure
from retraining.pipelines.climate_brazil.figures.forecast import figure_png
from retraining.pipelines.climate_brazil.parameters import Monitoring
from retraining.pipelines.climate_brazil.report.nodes import all_scores
from retraining.pipelines.climate_brazil.report.overview import overview
from retraining.pipelines.climate_brazil.series.scores import pooled_scores
from retraining.pipelines.climate_brazil.series.tables import FORECAST_SCHEMA, parquet
from retraining.pipelines.climate_brazil.structural import Fleet, InferenceConfig, ModelConfig, Posterior, pack
from tracked_kedro.kedro_side.code_version import code_version
from tracked_kedro.kedro_side.digest import table_digest
from tracked_kedro.promotion.evidence import Evidence, Version

log = logging.getLogger(__name__)

POSTERIORS, FORECASTS = "posteriors.npz", "forecasts.parquet"
# Where the catalog keeps the pictures among the run's artifacts.
PICTURES = "figures/beside_champion"
CAPTIONS = {"scores": "Held-out CRPS of challenger and champion", "forecasts": "Forecasts of challenger and champion"}


def compare(
    results: Mapping[str, Callable[[], dict[str, Any]]],
    forecasts: Mapping[str, Callable[[], pl.DataFrame]],
    posteriors: Mapping[str, Callable[[], Posterior]],
    table: pl.DataFrame,
    quarantine: pl.DataFrame,
    series_ids: list[str],
    months: Mapping[str, Any],
    entries: Mapping[str, Mapping[str, str]],
    monitored: Mapping[str, Any],
    children: Mapping[str, str],
    champion: Version | None,
    origin: Mapping[str, Any],
    series: Sequence[str],
    model: ModelConfig,
    inference: InferenceConfig,
    n_ahead: int,
    testing_window: int,
    monitoring: Monitoring,
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, bytes], dict[str, Any], dict[str, bytes]]:
    """Set the run beside the champion, and put together the model of the whole fleet.

    A series of the champion that this run has not trained (its file is bad or absent, or it failed) is carried over
    with the champion's posterior and forecasts.

    Returns:
        All forecasts (`series_tables.FORECAST_SCHEMA`), the overview (`overview.SCHEMA`), pictures beside the champion,
        the evidence, and the files of the model.
    """
    scores = all_scores(results, series_ids, entries)
    finished = [row["series"] for row in scores if row["status"] == "finished"]
    labels = {key: entry["label"] for key, entry in entries.items()}
    own = [forecasts[one]() for one in finished]
    cutoff = date.fromisoformat(months["cutoff"])

    champions = pl.DataFrame(schema=FORECAST_SCHEMA)
    before, carried, trained = None, [], set(finished)
    if champion is not None:
        champions = pl.read_parquet(io.BytesIO(champion.file(FORECASTS)))
        before = Fleet(champion.file(POSTERIORS))
        carried = [one for one in before.ids if one not in trained]
    everything = pl.concat([*own, champions.filter(pl.col("series").is_in(carried))])
    observed, observed_before = table.select("series", "date", "temperature"), _observed(before)
    all_observed = pl.concat([observed, observed_before.filter(~pl.col("series").is_in(observed["series"].unique()))])

    members = trained.union(carried)
    order = [one for one in entries if one in members] + [one for one in carried if one not in entries]
    # One posterior at a time: those of a large fleet do not fit into memory at once.
    kept = (before.posterior(one) if before and one not in trained else posteriors[one]() for one in order)

    metrics = pooled_scores(scores)
    metrics["gate_share"] = sum(passes_gate(row, inference) for row in scores) / max(len(scores), 1)
    settings = flat(
        {
            "model": model.model_dump(mode="json"),
            "inference": inference.model_dump(mode="json"),
            "n_ahead": n_ahead,
            "testing_window": testing_window,
        }
    )
    shared = shared_crps(everything, champions, finished)
    simulated = bool(origin["simulated"])
    figures = {
        "scores": scores_figure(everything, champions, labels, finished, simulated),
        "forecasts": forecasts_figure(everything, champions, observed, labels, cutoff, simulated),
    }
    pictures = {name: figure_png(figure) for name, figure in figures.items() if figure is not None}
    evidence = Evidence(
        metrics=metrics,
        members=tuple(order),
        cutoff=cutoff,
        data_digest=table_digest(table),
        incomplete=f"only {', '.join(series)} were asked for" if series else None if order else "no series finished",
        compared_with=champion.number if champion else None,
        shared={"crps": shared} if shared else {},
        remarks=_remarks(champion, observed, observed_before, everything, champions, labels, settings, carried),
        settings={key: str(value) for key, value in settings.items()},
        tags={"code": code_version(climate_brazil.__name__)},
        pictures={CAPTIONS[name]: f"{PICTURES}/{name}.png" for name in pictures},
    )
    seen = overview(
        scores,
        quarantine,
        carried,
        all_observed,
        everything,
        labels,
        monitored["degraded"],
        children,
        cutoff,
        monitoring.max_age_months,
    )
    for row in seen.filter(pl.col("stale")).iter_rows(named=True):
        log.warning("%s is stale: %s", row["label"], row["reason"])
    files = {POSTERIORS: pack(kept), FORECASTS: parquet(everything)}
    return everything, seen, pictures, evidence.model_dump(mode="json"), files


def _observed(fleet: Fleet | None) -> pl.DataFrame:
    """What the posteriors of a fleet were trained on: series, date, temperature (°C, null where missing)."""
    frames = [pl.DataFrame(schema={"series": pl.String, "date": pl.Date, "temperature": pl.Float64})]
    for one in fleet.ids if fleet else []:
        data = fleet.posterior(one).series if fleet else None
        assert data is not None
        dates = pl.Series(data.months.astype("datetime64[D]")).cast(pl.Date)
        frames.append(pl.DataFrame({"series": one, "date": dates, "temperature": data.values}).fill_nan(None))
    return pl.concat(frames)


def _remarks(
    champion: Version | None,
    observed: pl.DataFrame,
    observed_before: pl.DataFrame,
    own: pl.DataFrame,
    champions: pl.DataFrame,
    labels: Mapping[str, str],
    settings: Mapping[str, Any],
    carried: Sequence[str],
) -> list[str]:
    """What changed since the champion, in sentences."""
    if champion is None:
        return ["This is the first version: there is nothing to compare it with."]
    said = [f"Compared with the champion, version {champion.number} with cutoff {champion.evidence.cutoff}."]
    said += changes(observed, observed_before, own, champions, labels)
    if carried:
        more = f" and {len(carried) - SHOWN} more" if len(carried) > SHOWN else ""
        named = ", ".join(labels.get(one, one) for one in carried[:SHOWN]) + more
        said.append(f"Carried over from the champion, not trained: {named}.")
    tags = champion.evidence.tags
    changed = changed_settings(settings, champion.evidence.settings)
    said.append(f"Configuration changed: {'; '.join(changed)}." if changed else "Configuration: unchanged.")
    code = code_version(climate_brazil.__name__)
    same = tags.get("code") == code
    said.append("Code: unchanged." if same else f"Code changed: {tags.get('code', 'unknown')} → {code}.")
    return said
