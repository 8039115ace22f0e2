"""Wiring of the climate_brazil pipeline and of its parts."""

from __future__ import annotations

from dataclasses import fields

from kedro.pipeline import Pipeline, pipeline

from retraining.pipelines.climate_brazil import audit_nodes, run_nodes
from retraining.pipelines.climate_brazil.champion import batch
from retraining.pipelines.climate_brazil.champion import monitoring as monitor_nodes
from retraining.pipelines.climate_brazil.champion import nodes as version_nodes
from retraining.pipelines.climate_brazil.fleet import nodes as fleet_nodes
from retraining.pipelines.climate_brazil.inputs import NAME
from retraining.pipelines.climate_brazil.report import nodes as report_nodes
from retraining.pipelines.climate_brazil.series.namespace import series_namespace
from retraining.pipelines.climate_brazil.settings import TrainingSettings
from retraining.pipelines.climate_brazil.wiring import wire
from tracked_kedro.promotion.pipeline import promotion

# What reads the station files gets.
_INTAKE = [
    "stations",
    "entries",
    *(f"params:{name}" for name in ("series", "cutoff", "contract", "testing_window", "history_start")),
    "refreshed",
]
# Parameters that a version is made with.
_SETTINGS = [field.name for field in fields(TrainingSettings)]


def refresh() -> Pipeline:
    """Bring the station files up to date."""
    return pipeline([wire(run_nodes.refresh, ["station_source"], ["refreshed", "raw_inputs"], "refresh")])


def cutoff() -> Pipeline:
    """Checks before a run begins, for `make retrain`: the settled cutoff, or an error that says what to mend."""
    return refresh() + pipeline(
        [
            wire(
                run_nodes.settle_cutoff,
                _INTAKE,
                ["cutoff"],
                "cutoff",
            )
        ]
    )


def data_processing() -> Pipeline:
    """From station files to the tidy table and its plot."""
    return refresh() + pipeline(
        [
            wire(
                run_nodes.take_in,
                {
                    "partitions": "stations",
                    "entries": "entries",
                    "refreshed": "refreshed",
                    **{one: f"params:{one}" for one in ("cutoff", "contract", *_SETTINGS)},
                },
                ["training_table", "quarantine", "months", "flags", f"{NAME}_training_inputs"],
                "process_datasets",
            ),
            wire(run_nodes.describe_run, ["months", "stations_origin", "params:tags"], ["run_tags"], "describe_run"),
            wire(
                run_nodes.timeseries_plot,
                ["training_table", "entries", "stations_origin"],
                ["timeseries_figure"],
                "timeseries_plot",
            ),
        ]
    )


def train() -> Pipeline:
    """From the tidy table to trained, scored and recorded series, split to refit."""
    run_level = pipeline(
        [
            wire(
                run_nodes.split,
                ["training_table", "params:testing_window", "params:history_start", "params:contract"],
                ["training_split", "holdout", "series_ids"],
                "train_test_split",
            ),
            wire(
                fleet_nodes.learn_from_fleet,
                {
                    "training": "training_split",
                    "entries": "entries",
                    "origin": "stations_origin",
                    "champion": f"{NAME}_champion",
                    "gates": "fleet_gates",
                    **{name: f"params:{name}" for name in ("series", "model", "inference", "fleet", "seed")},
                    "min_years_own_slope": "params:min_years_own_slope",
                },
                ["fleet", "fleet_tags", "new_fleet_gates"],
                "learn_fleet",
            ),
            wire(
                run_nodes.draw_model_graph,
                ["params:model", "drawn_graphs"],
                ["model_graph", "new_graphs"],
                "model_graph",
            ),
        ]
    )
    return run_level + series_namespace()


def monitoring() -> Pipeline:
    """What earlier champions had forecast, beside what happened since."""
    return pipeline(
        [
            wire(
                monitor_nodes.monitor,
                ["training_table", "champions", "past_ledger", "months", "params:monitoring"],
                ["ledger", "realised_scores", "monitored", "realised_metrics"],
                "monitor",
            )
        ]
    )


def reporting() -> Pipeline:
    """The run beside the champion, and the scores of all series, pooled and beside the naive models."""
    scored = {"results": "series_results", "series_ids": "series_ids", "entries": "entries"}
    run = {"months": "months", "origin": "stations_origin", "quarantine": "quarantine", "flags": "flags"}
    evidence, inference = f"{NAME}_evidence", "params:inference"
    return pipeline(
        [
            wire(
                version_nodes.compare,
                {
                    **scored,
                    **run,
                    "forecasts": "series_forecasts",
                    "posteriors": "posteriors",
                    "table": "training_table",
                    "children": "child_runs",
                    "fleet": "fleet",
                    "champion": f"{NAME}_champion",
                    "monitored": "monitored",
                    "series": "params:series",
                    "inputs": f"{NAME}_training_inputs",
                    "inference": inference,
                    "monitoring": "params:monitoring",
                },
                ["forecasts", "overview", "champion_figures", evidence, f"{NAME}_model_files"],
                "compare",
            ),
            wire(
                report_nodes.report,
                {**scored, **run, "seen": "overview", "evidence": evidence, "inference": inference, "fleet": "fleet"},
                ["pooled_metrics", "report_table", "report_html", "report_text", "warnings"],
                "report",
            ),
        ]
    )


def auditing() -> Pipeline:
    """The fast posteriors of a few series against NUTS."""
    return pipeline(
        [
            wire(
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
    return pipeline([wire(batch.batch_forecast, inputs, outputs, "batch_forecast")])


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
