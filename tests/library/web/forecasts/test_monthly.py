"""The picture of pooled scores by month, and the words for what a fit says of itself."""

from __future__ import annotations

import pytest

from tracked_kedro.names import PROMOTION_TAG
from tracked_kedro.web.forecasts.diagnostics import judged
from tracked_kedro.web.forecasts.monthly import HEIGHT, WIDTH, trend
from tracked_kedro.web.forecasts.runs import StoredRun


def run(month: str, promotion: str = "", **scores: float) -> StoredRun:
    return StoredRun("rents", month, "1", month, frozenset(), {PROMOTION_TAG: promotion}, scores)


def test_months_with_a_score_and_their_promotions():
    runs = [run("2019-10", "not promoted: worse", crps=0.3), run("2019-09", crps=0.4), run("2019-08"), run("2019-07")]
    runs.append(run("2019-06", "promoted: better", crps=0.2, rmse=1.0))
    found = trend(runs)
    assert found is not None
    assert [(point.month, point.promoted) for point in found.points] == [
        ("2019-06", True),
        ("2019-09", False),
        ("2019-10", False),
    ]
    assert (found.score, found.least, found.most) == ("CRPS", 0.2, 0.4)
    heights = {point.month: point.y for point in found.points}
    assert heights["2019-09"] < heights["2019-10"] < heights["2019-06"], "a higher score stands higher"
    assert all(0 <= point.x <= WIDTH and 0 <= point.y <= HEIGHT for point in found.points)


def test_the_score_that_two_months_have():
    assert trend([run("2019-10", crps=0.3), run("2019-09", crps=0.3)]) is not None, "all the same"
    found = trend([run("2019-10", crps=0.3, rmse=1.0), run("2019-09", rmse=2.0)])
    assert found is not None and found.score == "RMSE"
    assert trend([run("2019-10", crps=0.3)]) is None
    assert trend([]) is None


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("k_hat", -0.07, "good"),
        ("k_hat", 0.6, "fair"),
        ("k_hat", 0.8, "bad"),
        ("k_hat", float("nan"), "bad"),
        ("ess", 835.0, "good"),
        ("ess", 50.0, "bad"),
        ("rounds", 0.0, "good"),
        ("seconds", 30.0, "fair"),
        ("coverage_80", 5 / 12, "bad"),
        ("skill_vs_seasonal_naive", -0.1, "bad"),
    ],
)
def test_a_number_has_a_word(name: str, value: float, word: str):
    (one,) = judged({name: value, "unknown": 1.0})
    assert (one.word, bool(one.label)) == (word, True)
