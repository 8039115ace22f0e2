"""The scores add up: pooled by hand, always the same columns, and what is unknown is never counted as 0."""

import math
from datetime import date
from typing import Any

import pytest

from retraining.pipelines.climate_brazil.series.scores import SCHEMA, pooled_scores, report_frame
from tests.pipelines.climate_brazil.made_up_scores import failed, score


class TestPooledScores:
    def test_by_hand(self) -> None:
        # 3 months with squared errors 1+1+4 and 1 month with 9: rmse = sqrt(15 / 4)
        a = score(
            "A",
            n_scored=3,
            rmse=math.sqrt(2),
            mae=4 / 3,
            crps=1.0,
            crps_seasonal_naive=2.0,
            coverage_80=1 / 3,
        )
        b = score("B", n_scored=1, rmse=3.0, mae=3.0, crps=2.0, crps_seasonal_naive=1.0, coverage_80=1.0)
        pooled = pooled_scores([a, b, failed()])

        assert pooled["rmse"] == pytest.approx(math.sqrt(15 / 4))
        assert pooled["mae"] == pytest.approx(7 / 4)
        assert pooled["crps"] == pytest.approx(5 / 4)
        assert pooled["coverage_80"] == pytest.approx(2 / 4)
        assert pooled["crps_seasonal_naive"] == pytest.approx(7 / 4)
        assert pooled["skill_vs_seasonal_naive"] == pytest.approx(1 - 5 / 7)
        assert {k: pooled[k] for k in ("n_series", "n_finished", "n_failed", "n_scored")} == {
            "n_series": 3,
            "n_finished": 2,
            "n_failed": 1,
            "n_scored": 4,
        }

    def test_one_series_pools_to_itself(self) -> None:
        pooled = pooled_scores([score()])
        assert pooled["rmse"] == pytest.approx(0.6)
        assert pooled["skill_vs_seasonal_naive"] == pytest.approx(0.2)
        assert pooled["skill_vs_climatology_trend"] == pytest.approx(1 - 0.4 / 0.38)

    def test_skill_compares_only_series_that_have_both(self) -> None:
        hard = score("Hard", crps=9.0, crps_seasonal_naive=None)
        pooled = pooled_scores([score(), hard])
        assert pooled["crps"] == pytest.approx(4.7)
        assert pooled["skill_vs_seasonal_naive"] == pytest.approx(0.2)

    def test_scores_of_a_failed_series_do_not_count(self) -> None:
        assert pooled_scores([score(), score("B", status="failed", rmse=99.0)])["rmse"] == pytest.approx(0.6)

    @pytest.mark.parametrize("scores", [[], [failed()], [score(n_scored=0, rmse=math.nan, crps=None)]])
    def test_nothing_scored_leaves_counts_only(self, scores: list[dict[str, Any]]) -> None:
        assert set(pooled_scores(scores)) == {"n_series", "n_finished", "n_failed", "n_scored"}

    def test_every_value_is_a_finite_float(self) -> None:
        pooled = pooled_scores([score(), score("B", mae=math.nan), failed()])
        assert all(isinstance(value, float) and math.isfinite(value) for value in pooled.values())


class TestReportFrame:
    @pytest.mark.parametrize("scores", [[], [failed()], [score(), failed()]])
    def test_schema_is_always_the_same(self, scores: list[dict[str, Any]]) -> None:
        frame = report_frame(scores)
        assert dict(frame.schema) == SCHEMA
        assert frame.height == len(scores)

    def test_values(self) -> None:
        row = report_frame([score(divergences=2.0, rmse=math.nan, first_month="1961-02", extra=1)]).row(0, named=True)
        assert row["first_month"] == date(1961, 2, 1)
        assert row["last_month"] == date(2018, 10, 1)
        assert row["divergences"] == 2
        assert row["rmse"] is None
        assert row["crps_climatology_trend"] == 0.38
