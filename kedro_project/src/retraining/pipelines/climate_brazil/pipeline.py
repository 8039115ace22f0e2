"""Wiring of the climate_brazil pipeline and of its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline, node, pipeline

from retraining.pipelines.climate_brazil import audit_nodes, run_nodes
from retraining.pipelines.climate_brazil.champion import batch
from retraining.pipelines.climate_brazil.champion import monitoring as monitor_nodes
from retraining.pipelines.climate_brazil.champion import nodes as version_nodes
from retraining.pipelines.climate_brazil.report import nodes as report_nodes
from retraining.pipelines.climate_brazil.series import nodes as series_nodes
from retraining.pipelines.climate_brazil.series import record
from retraining.pipelines.climate_brazil.series import tables as series_tables
from tracked_kedro.promotion.pipeline import promotion

NAME = "climate_brazil"
# Of dataset names: the catalog is one name space for all pipelines.
PREFIX = "climate"


def _named(*names: str) -> list[str]:
    """Datasets (`table`) and parameters (`params:seed`) of this pipeline under their full names."""
    return [
        f"params:{NAME}.{name.removeprefix('params:')}" if name.startswith("params:") else f"{PREFIX}_{name}"
        for name in names
    ]


def _node(function: Callable[..., Any], inputs: list[str], outputs: list[str], name: str) -> Node:
    named = _named(*outputs)
    # Kedro takes one name for a node that returns one thing, a list for a node that returns a tuple.
    return node(function, _named(*inputs), (named[0] if len(named) == 1 else named) or None, name=name)


def refresh() -> Pipeline:
    """Bring the station files up to date."""
    return pipeline([_node(run_nodes.refresh, ["station_source"], ["refreshed", "raw_inputs"], "refresh")])


def cutoff() -> Pipeline:
    """Checks before a run begins, for `make retrain`: the settled cutoff, or an error that says what to mend."""
    return refresh() + pipeline(
        [
            _node(
                run_nodes.settle_cutoff,
                ["stations", "entries", "params:series", "params:cutoff", "params:contract", "refreshed"],
                ["cutoff"],
                "cutoff",
            )
        ]
    )


def data_processing() -> Pipeline:
    """From station files to the tidy table and its plot."""
    return refresh() + pipeline(
        [
            _node(
                run_nodes.process,
                ["stations", "entries", "params:series", "params:cutoff", "params:contract", "refreshed"],
                ["training_table", "quarantine", "months"],
                "process_datasets",
            ),
            _node(run_nodes.describe_run, ["months", "stations_origin", "params:tags"], ["run_tags"], "describe_run"),
            _node(
                run_nodes.timeseries_plot,
                ["training_table", "entries", "stations_origin"],
                ["timeseries_figure"],
                "timeseries_plot",
            ),
        ]
    )


def train() -> Pipeline:
    """From the tidy table to trained, scored and recorded series, split to refit."""
    min_years = "params:min_years_own_slope"
    run_level = pipeline(
        [
            _node(
                run_nodes.split,
                ["training_table", "params:testing_window", "params:history_start", min_years],
                ["training_split", "holdout", "series_ids", "slopes"],
                "train_test_split",
            ),
            _node(
                run_nodes.draw_model_graph,
                ["params:model", "drawn_graphs"],
                ["model_graph", "new_graphs"],
                "model_graph",
            ),
        ]
    )
    return run_level + _series()


def _series() -> Pipeline:
    model, inference, seed = "params:model", "params:inference", "params:seed"
    min_years = "params:min_years_own_slope"
    keep = ["params:series_artifacts", "params:log_artifacts"]
    inner = [
        _node(
            series_nodes.select_series,
            [
                *("training_split", "holdout", "slopes", "entries", "shard", "finished_runs", "earlier_results"),
                *(min_years, model, inference, "params:n_ahead", seed, *keep),
            ],
            ["work"],
            "select",
        ),
        _node(series_nodes.train, ["work", inference, seed], ["fits"], "train"),
        _node(series_nodes.forecast, ["work", "fits"], ["holdout_forecasts"], "forecast"),
        _node(series_nodes.evaluate, ["work", "holdout_forecasts"], ["scores"], "evaluate"),
        _node(series_nodes.refit, ["work", "fits", inference, seed], ["refits"], "refit"),
        _node(series_nodes.forecast_ahead, ["refits", "params:n_ahead"], ["forecasts"], "forecast_ahead"),
        _node(
            record.forecast_plot,
            ["work", "fits", "holdout_forecasts", "forecasts", "stations_origin", *keep],
            ["plots"],
            "forecast_plot",
        ),
        _node(
            series_tables.forecast_tables,
            ["work", "holdout_forecasts", "forecasts"],
            ["forecast_tables"],
            "forecast_tables",
        ),
        _node(
            record.record,
            ["work", "scores", "refits", "plots", "forecast_tables", "model_graph", model, inference, *keep],
            # In the order of saving: a series whose child run is finished has everything else.
            ["series_results", "posteriors", "series_forecasts", "series_runs", "outcome"],
            "record",
        ),
        _node(series_nodes.check_series, ["outcome"], [], "check"),
    ]
    passed_in = {"training_split", "holdout", "slopes", "entries", "shard", "finished_runs", "earlier_results"}
    passed_in |= {"stations_origin", "model_graph"}
    passed_out = {"series_results", "posteriors", "series_forecasts", "series_runs"}
    return pipeline(
        inner,
        namespace="series",
        inputs=set(_named(*passed_in)),
        outputs=set(_named(*passed_out)),
        parameters=set(_named(model, inference, seed, min_years, "params:n_ahead", *keep)),
    )


def monitoring() -> Pipeline:
    """What earlier champions had forecast, beside what happened since."""
    return pipeline(
        [
            _node(
                monitor_nodes.monitor,
                ["training_table", "champions", "past_ledger", "months", "params:monitoring"],
                ["ledger", "realised_scores", "monitored", "realised_metrics"],
                "monitor",
            )
        ]
    )


def reporting() -> Pipeline:
    """The run beside the champion, and the scores of all series, pooled and beside the naive models."""
    seen = ["series_results", "series_forecasts", "posteriors", "training_table", "quarantine", "series_ids", "months"]
    settings = ["model", "inference", "n_ahead", "testing_window", "monitoring"]
    return pipeline(
        [
            node(
                version_nodes.compare,
                [
                    *_named(*seen, "entries", "monitored", "child_runs"),
                    f"{NAME}_champion",
                    *_named("stations_origin", "params:series", *(f"params:{name}" for name in settings)),
                ],
                [*_named("forecasts", "overview", "champion_figures"), f"{NAME}_evidence", f"{NAME}_model_files"],
                name="compare",
            ),
            node(
                report_nodes.report,
                [
                    *_named("series_results", "series_ids", "entries", "quarantine", "months", "stations_origin"),
                    *_named("overview"),
                    f"{NAME}_evidence",
                ],
                _named("pooled_metrics", "report_table", "report_html", "report_text", "warnings"),
                name="report",
            ),
        ]
    )


def auditing() -> Pipeline:
    """The fast posteriors of a few series against NUTS."""
    return pipeline(
        [
            _node(
                audit_nodes.audit_posteriors,
                ["posteriors", "series_ids", "months", "params:audit_series", "params:seed"],
                ["audit", "audit_metrics"],
                "audit",
            )
        ]
    )


def forecast() -> Pipeline:
    """Batch forecasts by the champion, or another version of the registered model."""
    inputs, outputs = ["forecasting_version", "params:n_ahead"], ["batch_forecasts", "batch_tags"]
    return pipeline([_node(batch.batch_forecast, inputs, outputs, "batch_forecast")])


def create_pipeline() -> Pipeline:
    """The whole monthly retraining."""
    return data_processing() + monitoring() + train() + reporting() + auditing() + promotion(NAME)


#: What may be run alone, as `climate_brazil.<name>`.
PARTS = {
    "cutoff": cutoff,
    "refresh": refresh,
    "data_processing": data_processing,
    "train": train,
    "forecast": forecast,
}
#: Fetching files and checking them is no training: it leaves no run behind.
UNTRACKED = ("cutoff", "refresh")
#: What `kedro run` runs.
DEFAULT = True
