"""The report says plainly where the model does not beat a baseline."""

import re
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from retraining.pipelines.movie_recommender.figures import metrics_figure, png
from retraining.pipelines.movie_recommender.model_nodes import describe_run, top_n
from retraining.pipelines.movie_recommender.recommender.evaluation import DEPTHS
from retraining.pipelines.movie_recommender.recommender.factors import FactorModel
from retraining.pipelines.movie_recommender.report import report_html, report_text, verdict
from retraining.pipelines.movie_recommender.report_nodes import report


def scored(rmse: float, recall: float, ndcg: float) -> dict[str, Any]:
    return {"rmse": rmse, "recall": {str(n): recall for n in DEPTHS}, "ndcg": {str(n): ndcg for n in DEPTHS}}


@pytest.fixture
def scores() -> dict[str, Any]:
    """Of a run like the real one: most users are new, and the model loses to popularity."""
    return {
        "models": {
            "model": scored(1.02, 0.51, 0.33),
            "global_mean": scored(1.08, 0.0, 0.0),
            "item_bias": scored(1.007, 0.498, 0.308),
            "popularity": scored(1.002, 0.527, 0.342),
        },
        "n_train": 800,
        "n_test": 200,
        "n_ranked_users": 150,
        "share_new_users": 0.96,
        "share_new_movies": 0.05,
        "share_ranked_users_new": 0.97,
        "n_pairs": 1000,
        "n_users": 900,
        "n_movies": 100,
        "share_users_of_one_pair": 0.98,
        "n_watched_only": 10,
        "mean_target_watched_only": 1.5,
        "share_runtimes_known": 0.6,
    }


@pytest.fixture
def summary() -> dict[str, Any]:
    counts = {"lines": 1010, "views": 100, "ratings": 905, "recommendation_requests": 2, "rejected": 3, "events": 1000}
    counts |= {"after_cutoff": 5, "before_history": 0, "blanks_removed": 4, "seconds_dropped": 6, "rejected.time": 3}
    times = {"first": "2024-09-10T08:39:04", "last": "2024-11-30T16:23:50"}
    about = {"origin": "here", "simulated": False, "shapes": ["lines time,user,request"]}
    return {**about, "counts": counts, "cutoff": "2024-12-01", "month": "2024-11", **times}


def test_a_lost_comparison_is_said_with_its_reason(scores: dict[str, Any]) -> None:
    sentences = verdict(scores)
    assert sentences[0] == (
        "By RMSE (1.020) the model is better than global mean, but not better than item bias (1.007) and popularity "
        "(1.002)."
    )
    assert sentences[1].endswith("better than item bias and global mean, but not better than popularity (0.527).")
    assert sentences[3].startswith(
        "Why: 98 % of the users have watched or rated one movie only, so that 96 % of the held-out"
    )


def test_a_model_that_wins_everywhere_needs_no_reasons(scores: dict[str, Any]) -> None:
    scores["models"]["model"] = scored(0.7, 0.6, 0.5)
    sentences = verdict(scores)
    assert len(sentences) == 3
    assert all(one.endswith("the model is better than item bias, popularity and global mean.") for one in sentences)


def test_a_loss_without_a_plain_cause_is_not_explained_away(scores: dict[str, Any]) -> None:
    scores |= {"share_new_users": 0.1, "share_new_movies": 0.0}
    assert verdict(scores)[-1].startswith("Why: no single cause is plain")


def test_the_text_is_a_table_that_fits_a_terminal(scores: dict[str, Any], summary: dict[str, Any]) -> None:
    text = report_text(scores, summary)
    assert text.startswith("Retraining for November 2024, views and ratings before 2024-12-01\n")
    assert re.search(r"^ +RMSE  recall@20  NDCG@20$", text, re.M)
    assert re.search(r"^model +1\.020 +0\.510 +0\.330$", text, re.M)
    assert "1,010 lines: 100 views, 905 ratings, 2 recommendation requests, 3 rejected (0.3 %: time 3)" in text
    assert "Read as lines time,user,request." in " ".join(text.split())
    assert "5 after the cutoff" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 110
    assert "simulated sample" not in text
    assert "simulated sample" in report_text(scores, {**summary, "simulated": True}).splitlines()[0]


def test_the_page_has_table_picture_and_counts(scores: dict[str, Any], summary: dict[str, Any]) -> None:
    page = report_html(scores, summary, b"png")
    assert "<h1>Recommender, November 2024</h1>" in page
    assert 'src="data:image/png;base64,cG5n"' in page
    assert "popularity</th><td>1.002</td>" in page
    assert "&emsp;time</th><td>3</td>" in page
    assert 'class="simulated"' not in page
    assert 'class="simulated"' in report_html(scores, {**summary, "simulated": True}, b"png")


def test_an_origin_cannot_break_the_page(scores: dict[str, Any], summary: dict[str, Any]) -> None:
    assert "<script>x" not in report_html(scores, {**summary, "origin": "<script>x"}, b"")


def test_every_axis_of_the_picture_is_named_with_its_unit(scores: dict[str, Any]) -> None:
    figure = metrics_figure(scores, "2024-11", simulated=True)
    assert isinstance(figure, Figure)
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "RMSE (points on the scale 1–5)",
        *["n, length of the list (movies)"] * 2,
    ]
    assert [axes.get_ylabel() for axes in figure.axes[1:]] == [
        "Recall@n (share of liked held-out movies)",
        "NDCG@n (0 to 1)",
    ]
    assert "simulated sample" in [text.get_text() for text in figure.texts]
    assert png(figure).startswith(b"\x89PNG")


def test_metrics_are_named_for_the_model_and_each_baseline(scores: dict[str, Any], summary: dict[str, Any]) -> None:
    metrics, _, table, _, _ = report(scores, summary)
    values = {name: one["value"] for name, one in metrics.items()}
    assert (values["rmse"], values["recall_at_20"], values["ndcg_at_20"]) == (1.02, 0.51, 0.33)
    assert (values["rmse_item_bias"], values["recall_at_20_popularity"]) == (1.007, 0.527)
    assert values["reject_share"] == pytest.approx(3 / 1010, abs=1e-6)
    assert table["method"].to_list() == ["model", "item_bias", "popularity", "global_mean"]
    assert {"rmse", "recall_at_20", "ndcg_at_50"} <= set(table.columns)


def test_top_n_names_unseen_movies_of_everybody_and_the_popular_list() -> None:
    model = FactorModel(
        mean=3.0,
        users=np.array([10, 20]),
        movies=np.array(["a", "b", "c"]),
        user_bias=np.zeros(2, np.float32),
        movie_bias=np.array([0.0, 1.0, -1.0], np.float32),
        user_factors=np.zeros((2, 1), np.float32),
        movie_factors=np.zeros((3, 1), np.float32),
        viewers=np.array([1, 2, 0], np.int32),
        seen_start=np.array([0, 1, 3]),
        seen=np.array([1, 0, 1], np.int32),
    )
    table = top_n(model, 2)
    assert table.select("user", "rank", "movie").rows() == [
        (None, 1, "b"),
        (None, 2, "a"),
        (10, 1, "a"),
        (10, 2, "c"),
        (20, 1, "c"),
    ]
    assert table.filter(pl.col("user") == 10)["liking"].to_list() == [3.0, 2.0]


def test_the_run_is_named_after_its_month_and_says_what_it_read(summary: dict[str, Any]) -> None:
    tags = describe_run(summary, {"model": "mine"})
    assert tags["mlflow.runName"] == "movie_recommender 2024-11"
    assert "nothing dated on or after 2024-12-01 was read" in tags["mlflow.note.content"]
    assert (tags["cutoff"], tags["simulated"], tags["model"]) == ("2024-12-01", "false", "mine")
