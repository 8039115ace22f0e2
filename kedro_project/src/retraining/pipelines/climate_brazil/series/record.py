"""Last step of the namespace `series`: what is kept of each series, in its child run and for the report."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from retraining import __version__
from retraining.pipelines.climate_brazil.figures.forecast import (
    CONTEXT_YEARS,
    ForecastTables,
    forecast_svg,
)
from retraining.pipelines.climate_brazil.series.frames import band_frame, observed_frame
from retraining.pipelines.climate_brazil.series.inputs import Artifacts, SeriesResults
from retraining.pipelines.climate_brazil.series.isolation import Failure, each
from retraining.pipelines.climate_brazil.series.nodes import Work
from retraining.pipelines.climate_brazil.series.scores import DECIMALS
from retraining.pipelines.climate_brazil.series.tables import FORECAST_SCHEMA, history_table, parquet
from retraining.pipelines.climate_brazil.structural import (
    BORROWED,
    Forecast,
    InferenceConfig,
    ModelConfig,
    Posterior,
    to_netcdf,
)
from tracked_kedro.child_runs.record import ChildRecord

log = logging.getLogger(__name__)

MODEL_TYPE = "bayesian_structural_time_series"
METRICS = ("rmse", "mae", "crps", "coverage_80", "coverage_95", "skill_vs_seasonal_naive")


def forecast_plot(
    work: dict[str, Any],
    fits: dict[str, Any],
    holdout_forecasts: dict[str, Any],
    forecasts: dict[str, Any],
    origin: Mapping[str, Any],
    artifacts: Artifacts,
) -> dict[str, Any]:
    """Plot each series: in-sample mean and 80 % HDI, held-out months and their forecast, forecast ahead.

    Returns:
        SVG files, without content where the plot is not to be kept.
    """

    def plot(one: Work, first: Posterior, held_out: Forecast, ahead: Forecast) -> bytes:
        if "forecast_plot" not in artifacts.kept:
            return b""
        full = one.full
        months = full.first_month + np.arange(len(full.values))
        figure = forecast_svg(
            one.label,
            ForecastTables(
                observed=observed_frame(months, full.values),
                in_sample=band_frame(first.in_sample().newest(12 * CONTEXT_YEARS)),
                holdout_forecast=band_frame(held_out),
                holdout_actuals=observed_frame(held_out.months, one.actual),
                ahead=band_frame(ahead),
            ),
            origin["simulated"],
        )
        # A shard holds many series; what the band was computed from is not needed again.
        first.forget()
        return figure

    return each("forecast_plot", plot, work, fits, holdout_forecasts, forecasts)


def record(
    work: dict[str, Any],
    made: SeriesResults,
    entries: Mapping[str, Mapping[str, str]],
    model_graph: Mapping[str, Callable[[], str]],
    model: ModelConfig,
    inference: InferenceConfig,
    artifacts: Artifacts,
) -> tuple[dict[str, dict], dict[str, Posterior], dict[str, pl.DataFrame], dict[str, ChildRecord], dict[str, Any]]:
    """What is kept of each series.

    Returns:
        Rows for the report, posteriors, forecast tables (without rows where the series failed), records for the child
        runs, and outcomes (a `Failure` where there is one).
    """
    graph = {f"figures/{name}": load().encode() for name, load in model_graph.items()}
    keep = artifacts.kept

    def finished(one: Work, score: dict, posterior: Posterior, plot: bytes, table: pl.DataFrame) -> ChildRecord:
        files = dict(graph) if "model_graph" in keep else {}
        if "forecast_plot" in keep:
            files["figures/forecast.svg"] = plot
        if "series_table" in keep:
            files["series.parquet"] = parquet(history_table(posterior))
        if "posterior" in keep:
            files["posterior.nc"] = to_netcdf(posterior, draws=True)
        stored = to_netcdf(posterior)
        # A shard holds many series; what all this was computed from can be computed again.
        posterior.forget()
        diagnostics = {k: round(v, DECIMALS) for k, v in posterior.diagnostics.items() if np.isfinite(v)}
        return ChildRecord(
            label=one.label,
            status="FINISHED",
            fingerprint=one.fingerprint,
            parameters={
                "series": one.series,
                "training_start": str(one.full.first_month),
                "training_end": str(posterior.last_month),
                "n_months": posterior.n_months,
                "model_id": model_id(model, inference),
                "model_type": MODEL_TYPE,
                # log: y_mean and y_std are those of the logarithms.
                "transform": posterior.model.transform,
                # First month of the second window; None where forecasts are of the whole history alone.
                "recent_window_start": str(posterior.recent.first_month) if posterior.recent else None,
                "y_mean": float(posterior.y_mean),
                "y_std": float(posterior.y_sd),
                # Whether its priors are those that the other series have taught.
                "borrows": posterior.model.shape_prior is not None,
                # Prior of the slope from the other series, °C per decade; None where the slope is the series' own.
                "pooled_slope_mean": posterior.model.pooled_slope_mean,
                "pooled_slope_sd": posterior.model.pooled_slope_sd,
            },
            metrics={key: round(score[key], DECIMALS) for key in METRICS if np.isfinite(score[key])} | diagnostics,
            tags={"method_used": posterior.method_used},
            files=files,
            model=stored if "model" in keep else None,
        )

    outcome = each("record", finished, work, made.scores, made.posteriors, made.plots, made.tables)
    records, rows, forecasts = {}, {}, {}
    for series, value in outcome.items():
        one = work[series]
        if isinstance(value, Failure):
            reason, label = f"{value.step}: {value.reason}", entries.get(series, {}).get("label", series)
            fingerprint = one.fingerprint if isinstance(one, Work) else ""
            records[series] = ChildRecord(label, "FAILED", fingerprint, {"series": series}, failure=reason)
            rows[series] = {"series": series, "label": label, "status": "failed", "reason": reason}
            # In the place of what an earlier attempt may have left.
            forecasts[series] = pl.DataFrame(schema=FORECAST_SCHEMA)
        else:
            records[series] = value
            rows[series] = _row(one, value, made.scores[series]) | _of_second_window(made.posteriors[series])
            forecasts[series] = made.tables[series]
    kept = {series: made.posteriors[series] for series, row in rows.items() if row["status"] == "finished"}
    return rows, kept, forecasts, records, outcome


def model_id(model: ModelConfig, inference: InferenceConfig) -> str:
    """Short hash of the configuration and this package's version: equal ids mean the same model."""
    text = f"{__version__}|{model.model_dump_json()}|{inference.model_dump_json()}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _row(one: Work, record: ChildRecord, scores: Mapping[str, float]) -> dict[str, Any]:
    """One series as the report reads it; see `scores.SCHEMA`."""
    diagnostics = {key: record.metrics.get(key) for key in ("k_hat", "ess", "r_hat", "divergences", "seconds")}
    return {
        "series": one.series,
        "label": one.label,
        "status": "finished",
        "reason": _flag(record),
        "n_months": record.parameters["n_months"],
        "first_month": record.parameters["training_start"],
        "last_month": record.parameters["training_end"],
        "method_used": record.tags["method_used"],
        **{key: _number(value) for key, value in scores.items()},
        **{key: _number(value) for key, value in diagnostics.items()},
    }


def _flag(record: ChildRecord) -> str | None:
    """Why a finished series deserves attention."""
    if record.tags["method_used"] != BORROWED:
        return None
    return f"{record.parameters['n_months']} observed months are too few for a model: {BORROWED}"


def _of_second_window(posterior: Posterior) -> dict[str, Any]:
    """How far the second window of a forecast can be trusted; nothing where there is none."""
    recent = posterior.recent
    if recent is None:
        return {}
    found = {key: _number(recent.diagnostics.get(key)) for key in ("k_hat", "ess", "r_hat", "divergences")}
    return {f"recent_{key}": value for key, value in {"method_used": recent.method_used, **found}.items()}


def _number(value: Any) -> float | int | None:
    # JSON knows neither NumPy's numbers nor NaN.
    if value is None or not np.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and not isinstance(value, float) else float(value)
