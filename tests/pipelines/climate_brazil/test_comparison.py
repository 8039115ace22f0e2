"""A run beside the champion: shared months, and what changed."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats

from retraining.pipelines.climate_brazil.champion.comparison import held_out_crps, normal_crps, shared_crps
from retraining.pipelines.climate_brazil.champion.remarks import Snapshot, changed_settings, changes
from retraining.pipelines.climate_brazil.series.tables import FORECAST_SCHEMA
from retraining.pipelines.climate_brazil.settings import flat


def forecasts(mean: float, first: int, months: int = 12, kind: str = "heldout", series: str = "belem") -> pl.DataFrame:
    """Made-up forecasts of consecutive months of 2018 and 2019; 25 °C is observed in each."""
    days = [date(2018 + month // 12, month % 12 + 1, 1) for month in range(first, first + months)]
    rows = {"series": series, "kind": kind, "date": days, "horizon": range(1, months + 1), "mean": mean, "sd": 1.0}
    filled = {name: None for name in FORECAST_SCHEMA if name not in rows} | {"observed": 25.0}
    table = pl.DataFrame(rows).with_columns(**{name: pl.lit(value) for name, value in filled.items()})
    return table.select(list(FORECAST_SCHEMA)).cast(FORECAST_SCHEMA)


@pytest.mark.parametrize("actual", [-2.0, 0.3, 4.0])
def test_crps_is_the_integral_that_defines_it(actual: float):
    def integrand(x: float) -> float:
        return (stats.norm.cdf(x, 0.5, 1.5) - (x >= actual)) ** 2

    parts = [integrate.quad(integrand, low, high)[0] for low, high in ((-30, actual), (actual, 30))]
    found = normal_crps(np.array([0.5]), np.array([1.5]), np.array([actual]))
    assert found[0] == pytest.approx(sum(parts), abs=1e-8)


def test_only_shared_held_out_months_of_trained_series_are_compared():
    own = pl.concat([forecasts(25.0, 1), forecasts(25.0, 1, series="rio"), forecasts(0.0, 13, kind="ahead")])
    champions = pl.concat([forecasts(27.0, 0), forecasts(99.0, 0, series="rio")])
    found = shared_crps(held_out_crps(own, champions, ["belem"]), ["belem"])
    assert found is not None
    assert (found["cases"], found["unit"]) == (11, "months")
    assert found["challenger"] == pytest.approx(float(normal_crps(*np.array([[25.0], [1.0], [25.0]]))[0]))
    assert found["champion"] == pytest.approx(float(normal_crps(*np.array([[27.0], [1.0], [25.0]]))[0]))


def test_both_are_scored_on_the_observations_of_today():
    revised = forecasts(27.0, 0).with_columns(observed=pl.lit(0.0))
    found = shared_crps(held_out_crps(forecasts(25.0, 1), revised, ["belem"]), ["belem"])
    assert found is not None
    assert found["champion"] < 3


def test_without_a_shared_month_there_is_nothing_to_compare():
    assert shared_crps(held_out_crps(forecasts(25.0, 0), forecasts(25.0, 12), ["belem"]), ["belem"]) is None


def test_revised_and_new_observations_and_shifted_forecasts_are_reported():
    days = [date(2019, month, 1) for month in (1, 2, 3)]
    before = pl.DataFrame({"series": "belem", "date": days[:2], "temperature": [25.0, 26.0]})
    now = pl.DataFrame({"series": "belem", "date": days, "temperature": [25.5, 26.0, 27.0]})
    own, earlier = forecasts(25.0, 1, kind="ahead"), forecasts(24.8, 0, kind="ahead")
    assert changes(Snapshot(now, own), Snapshot(before, earlier), {"belem": "Belém"}) == [
        "Observations: 1 new, 1 revised (Belém 2019-01 by +0.50 °C).",
        "Forecasts of the same months moved on average: Belém +0.20 °C.",
    ]


def test_changed_settings_are_named_with_both_values():
    now = flat({"model": {"kernel": "matern12"}, "n_ahead": 12})
    assert now == {"model.kernel": "matern12", "n_ahead": 12}
    before = {"model.kernel": "matern32", "n_ahead": "12", "gone": "1"}
    assert changed_settings(now, before) == ["model.kernel: matern32 → matern12"]
