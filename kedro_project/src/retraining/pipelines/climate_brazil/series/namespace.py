"""Wiring of the namespace `series`, which a DAG maps over shards."""

from __future__ import annotations

from kedro.pipeline import Pipeline, pipeline

from retraining.pipelines.climate_brazil.series import nodes as series_nodes
from retraining.pipelines.climate_brazil.series import record
from retraining.pipelines.climate_brazil.series import tables as series_tables
from retraining.pipelines.climate_brazil.wiring import named, wire


def series_namespace() -> Pipeline:
    """From the split tables to series that are trained, scored and recorded; a shard of them where one is given."""
    model, inference, seed, n_ahead = (f"params:{name}" for name in ("model", "inference", "seed", "n_ahead"))
    min_years = "params:min_years_own_slope"
    contract = "params:contract"
    keep = {name: f"params:{name}" for name in ("series_artifacts", "log_artifacts")}
    inner = [
        wire(
            series_nodes.select_series,
            {
                "training": "training_split",
                "holdout": "holdout",
                "fleet": "fleet",
                "entries": "entries",
                "series": "shard",
                "finished": "finished_runs",
                "results": "earlier_results",
                "model": model,
                "inference": inference,
                "n_ahead": n_ahead,
                "seed": seed,
                "min_years_own_slope": min_years,
                "contract": contract,
                **keep,
            },
            ["work"],
            "select",
        ),
        wire(series_nodes.train, ["work", inference, seed], ["fits"], "train"),
        wire(series_nodes.forecast, ["work", "fits"], ["holdout_forecasts"], "forecast"),
        wire(series_nodes.evaluate, ["work", "holdout_forecasts"], ["scores"], "evaluate"),
        wire(series_nodes.refit, ["work", "fits", inference, seed], ["refits"], "refit"),
        wire(series_nodes.forecast_ahead, ["refits", n_ahead], ["forecasts"], "forecast_ahead"),
        wire(
            record.forecast_plot,
            {
                "work": "work",
                "fits": "fits",
                "holdout_forecasts": "holdout_forecasts",
                "forecasts": "forecasts",
                "origin": "stations_origin",
                **keep,
            },
            ["plots"],
            "forecast_plot",
        ),
        wire(
            series_tables.forecast_tables,
            ["work", "holdout_forecasts", "forecasts"],
            ["forecast_tables"],
            "forecast_tables",
        ),
        wire(
            record.record,
            {
                "work": "work",
                "scores": "scores",
                "posteriors": "refits",
                "plots": "plots",
                "tables": "forecast_tables",
                "entries": "entries",
                "model_graph": "model_graph",
                "model": model,
                "inference": inference,
                **keep,
            },
            # In the order of saving: a series whose child run is finished has everything else.
            ["series_results", "posteriors", "series_forecasts", "series_runs", "outcome"],
            "record",
        ),
        wire(series_nodes.check_series, ["outcome"], [], "check"),
    ]
    passed_in = {"training_split", "holdout", "fleet", "entries", "shard", "finished_runs", "earlier_results"}
    passed_in |= {"stations_origin", "model_graph"}
    passed_out = {"series_results", "posteriors", "series_forecasts", "series_runs"}
    return pipeline(
        inner,
        namespace="series",
        inputs=set(named(*passed_in)),
        outputs=set(named(*passed_out)),
        parameters=set(named(model, inference, seed, min_years, n_ahead, contract, *keep.values())),
    )
