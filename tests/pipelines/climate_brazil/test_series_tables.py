"""The tables that others read by name: columns, units, and what is null where."""

import io
import itertools
from datetime import date

import numpy as np
import polars as pl
import pytest

from retraining.pipelines.climate_brazil.series.nodes import Work
from retraining.pipelines.climate_brazil.series.tables import (
    FORECAST_SCHEMA,
    forecast_tables,
    history_table,
    parquet,
)
from retraining.pipelines.climate_brazil.structural import (
    Forecast,
    Mixture,
    ModelConfig,
    Posterior,
    Series,
    climatology,
    fit,
    seasonal_naive,
)

FIRST = np.datetime64("2001-12")
VALUES = 20 + np.sin(np.arange(66) * np.pi / 6) + np.arange(66) / 100
HELD_OUT = np.array([21.0, np.nan, 19.0, 18.0, 17.0, 16.0])


def work(values: np.ndarray = VALUES) -> Work:
    training, full = Series("a", FIRST, values[:60]), Series("a", FIRST, np.array([*values[:60], *HELD_OUT]))
    return Work("a", "A", training, full, HELD_OUT, ModelConfig(), None, None, 24, "f")


def forecast(first: str, means: list[float]) -> Forecast:
    """Two Gaussians of equal weight, 1 °C to either side of `means`, each with a standard deviation of 0.5 °C."""
    months = np.datetime64(first) + np.arange(len(means))
    both = np.array([np.array(means) - 1, np.array(means) + 1])
    return Mixture(months, np.array([0.5, 0.5]), both, np.full_like(both, 0.5))


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return forecast_tables(
        {"a": work()},
        {"a": forecast("2006-12", [20.0, 19.0, 18.0, 17.0, 16.0, 15.0])},
        {"a": forecast("2007-06", [14.0, 13.0])},
    )["a"]


class TestForecasts:
    def test_columns_and_types_are_those_agreed_on(self, table: pl.DataFrame) -> None:
        names = ["series", "kind", "date", "horizon", "mean", "sd", "q025", "q10", "q25", "q50", "q75", "q90", "q975"]
        assert table.columns == [*names, "observed", "seasonal_naive", "climatology"]
        assert dict(table.schema) == FORECAST_SCHEMA

    def test_each_kind_starts_after_its_own_history(self, table: pl.DataFrame) -> None:
        assert table["series"].unique().to_list() == ["a"]
        assert table["kind"].to_list() == ["heldout"] * 6 + ["ahead"] * 2
        assert table["date"].to_list() == [date(2006, 12, 1), *(date(2007, month, 1) for month in range(1, 8))]
        assert table["horizon"].to_list() == [1, 2, 3, 4, 5, 6, 1, 2]

    def test_moments_and_quantiles_are_those_of_the_mixture(self, table: pl.DataFrame) -> None:
        assert table["mean"].to_list() == pytest.approx([20, 19, 18, 17, 16, 15, 14, 13])
        assert table["sd"].to_list() == pytest.approx([np.sqrt(0.25 + 1)] * 8)
        assert (table["q50"] - table["mean"]).abs().max() < 1e-9
        # 10 % of the mixture is 20 % of its lower half: 0.8416 standard deviations below that.
        assert (table["mean"] - table["q10"]).to_list() == pytest.approx([1 + 0.8416 * 0.5] * 8, abs=2e-3)
        inner = ("q025", "q10", "q25", "q50", "q75", "q90", "q975")
        assert all((table[low] < table[high]).all() for low, high in itertools.pairwise(inner))

    def test_what_was_observed_is_known_for_held_out_months_only(self, table: pl.DataFrame) -> None:
        assert table["observed"].to_list() == [21.0, None, 19.0, 18.0, 17.0, 16.0, None, None]

    def test_naive_forecasts_know_what_the_model_knew(self, table: pl.DataFrame) -> None:
        one = work()
        for name, baseline in (("seasonal_naive", seasonal_naive), ("climatology", climatology)):
            assert table[name].to_list() == [*baseline(one.training, 6).mean, *baseline(one.full, 2).mean]
        # The naive forecast of June 2007 is the June of the training months, of which the held-out months have none.
        assert table["seasonal_naive"][6] == VALUES[54]

    def test_a_naive_model_that_cannot_be_made_is_null(self) -> None:
        never_december = VALUES.copy()
        never_december[::12] = np.nan
        one = work(never_december)
        table = forecast_tables({"a": one}, {"a": forecast("2006-12", [20.0] * 6)}, {"a": forecast("2007-06", [1.0])})
        assert table["a"]["climatology"].is_null().to_list() == [True] * 6 + [False]
        assert table["a"]["q50"].null_count() == 0


@pytest.fixture(scope="module")
def with_a_gap() -> Posterior:
    months = np.arange(180)
    values = 25 + 2 * np.sin(months * np.pi / 6) + months / 200 + np.random.default_rng(0).normal(0, 0.5, 180)
    values[40:60] = np.nan
    return fit(Series("gap", FIRST, values))


class TestHistory:
    def test_one_row_for_every_month_with_components_that_add_up(self, with_a_gap: Posterior) -> None:
        posterior = with_a_gap
        table = pl.read_parquet(io.BytesIO(parquet(history_table(posterior))))
        names = ["date", "observed", "fitted", "fitted_q10", "fitted_q90", "trend", "seasonal"]
        assert table.columns == names
        assert table["date"].to_list() == pl.date_range(FIRST.item(), date(2016, 11, 1), "1mo", eager=True).to_list()
        assert table["observed"].is_null().to_list() == [40 <= month < 60 for month in range(180)]
        assert table.drop("observed").null_count().sum_horizontal().item() == 0
        assert (table["trend"] + table["seasonal"] - table["fitted"]).abs().max() < 1e-9
        assert table["seasonal"].mean() == pytest.approx(0, abs=0.05)

    def test_four_months_in_five_lie_within_the_band(self, with_a_gap: Posterior) -> None:
        known = history_table(with_a_gap).drop_nulls()
        inside = known["observed"].is_between(known["fitted_q10"], known["fitted_q90"])
        assert 0.72 < inside.mean() < 0.9
