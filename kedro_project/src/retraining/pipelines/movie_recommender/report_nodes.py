"""Node `report`: the model beside the baselines, as metrics, picture, table, page and text."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.figure import Figure

from retraining.pipelines.movie_recommender.figures import METHODS, metrics_figure, png
from retraining.pipelines.movie_recommender.recommender.evaluation import DEPTH
from retraining.pipelines.movie_recommender.report import report_html, report_text

log = logging.getLogger(__name__)

DECIMALS = 6
_FACTS = (
    "n_pairs",
    "n_users",
    "n_movies",
    "n_train",
    "n_test",
    "n_ranked_users",
    "share_new_users",
    "share_new_movies",
)


def report(
    scores: Mapping[str, Any], summary: Mapping[str, Any]
) -> tuple[dict[str, dict[str, float]], Figure, pl.DataFrame, str, str]:
    """Report on the model beside the baselines.

    Returns:
        Metrics for MLflow, the picture, the table, the HTML page and the text.
    """
    figure = metrics_figure(scores, summary["month"], summary["simulated"])
    text = report_text(scores, summary)
    log.info("Report of %s\n%s", summary["month"], text)
    metrics = {name: {"value": value, "step": 0} for name, value in metric_values(scores, summary).items()}
    return metrics, figure, _table(scores), report_html(scores, summary, png(figure)), text


def metric_values(scores: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, float]:
    """Metrics by name: the model's by their plain names, a baseline's with its name behind."""
    values = {}
    for name, one in scores["models"].items():
        suffix = "" if name == "model" else f"_{name}"
        values[f"rmse{suffix}"] = one["rmse"]
        values[f"recall_at_{DEPTH}{suffix}"] = one["recall"][str(DEPTH)]
        values[f"ndcg_at_{DEPTH}{suffix}"] = one["ndcg"][str(DEPTH)]
    values |= {name: scores[name] for name in _FACTS}
    counts = summary["counts"]
    values |= {"n_lines": counts["lines"], "n_rejected": counts["rejected"]}
    values["reject_share"] = counts["rejected"] / counts["lines"]
    return {name: round(float(value), DECIMALS) for name, value in values.items()}


def _table(scores: Mapping[str, Any]) -> pl.DataFrame:
    """Columns method, rmse, and recall and NDCG at each length of list."""
    rows = []
    for name in METHODS:
        one = scores["models"][name]
        ranks = {f"{kind}_at_{n}": value for kind in ("recall", "ndcg") for n, value in one[kind].items()}
        rows.append({"method": name, "rmse": one["rmse"], **ranks})
    return pl.DataFrame(rows)
