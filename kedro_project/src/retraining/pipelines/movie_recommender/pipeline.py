"""Wiring of the movie_recommender pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline, node, pipeline

from retraining.pipelines.movie_recommender import model_nodes, report_nodes, version_nodes
from retraining.pipelines.movie_recommender.stream import nodes as stream_nodes
from tracked_kedro.promotion.pipeline import promotion

NAME = "movie_recommender"
# Of dataset names: the catalog is one name space for all pipelines.
PREFIX = "movies"


def _node(function: Callable[..., Any], inputs: list[str], outputs: list[str], name: str) -> Node:
    named_inputs = [
        f"params:{NAME}.{one.removeprefix('params:')}" if one.startswith("params:") else f"{PREFIX}_{one}"
        for one in inputs
    ]
    named = [f"{PREFIX}_{one}" for one in outputs]
    return node(function, named_inputs, named[0] if len(named) == 1 else named, name=name)


def cutoff() -> Pipeline:
    """Checks before a run begins, for `make retrain`: the settled cutoff, or an error that says what to mend."""
    return pipeline(
        [_node(stream_nodes.settle_cutoff, ["source_stream", "params:cutoff"], ["cutoff"], "settle_cutoff")]
    )


def create_pipeline() -> Pipeline:
    """The whole monthly retraining."""
    window = ["params:cutoff", "params:history_start"]
    retraining = pipeline(
        [
            _node(stream_nodes.keep_stream, ["source"], ["raw_inputs"], "keep_stream"),
            _node(
                stream_nodes.process_kafka,
                ["stream", *window, "params:max_reject_share", "raw_inputs"],
                ["events", "rejects", "summary"],
                "process_kafka",
            ),
            _node(stream_nodes.list_rejects, ["rejects"], ["first_rejects"], "list_rejects"),
            _node(stream_nodes.aggregate_ratings, ["events"], ["ratings"], "aggregate_ratings"),
            node(
                stream_nodes.normalize_minutes,
                [
                    f"{PREFIX}_ratings",
                    f"{PREFIX}_runtimes",
                    *(
                        f"params:{NAME}.{one}"
                        for one in ("default_runtime", "test_size", "random_state", "ranked_users", "top_n", "model")
                    ),
                ],
                [f"{PREFIX}_pairs", f"{NAME}_training_inputs"],
                name="normalize_minutes",
            ),
            _node(
                model_nodes.train_and_evaluate,
                ["pairs", "params:test_size", "params:random_state", "params:model", "params:ranked_users"],
                ["model", "scores"],
                "train_and_evaluate",
            ),
            _node(model_nodes.top_n, ["model", "params:top_n"], ["recommendations"], "top_n"),
            _node(model_nodes.describe_run, ["summary", "params:tags"], ["run_tags"], "describe_run"),
            _node(
                report_nodes.report,
                ["scores", "summary"],
                ["metrics", "metrics_figure", "report_table", "report_html", "report_text"],
                "report",
            ),
            node(
                version_nodes.candidate,
                [*(f"{PREFIX}_{one}" for one in ("model", "scores", "summary")), f"{NAME}_training_inputs"],
                [f"{NAME}_model_files", f"{NAME}_evidence"],
                name="candidate",
            ),
        ]
    )
    return retraining + promotion(NAME)


#: What may be run alone, as `movie_recommender.<name>`.
PARTS = {"cutoff": cutoff}
UNTRACKED = ("cutoff",)
