import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import (
    Series,
    TooFewMonthsError,
    climatology,
    climatology_trend,
    seasonal_naive,
)


def three_years():
    values = np.tile(np.arange(12.0), 3) + np.repeat([0.0, 1.0, 3.0], 12)
    return Series("hand", np.datetime64("2000-01"), values)


def test_seasonal_naive_by_hand():
    series = three_years()
    forecast = seasonal_naive(series, 13)
    np.testing.assert_allclose(forecast.mean, [*(np.arange(12.0) + 3), 3.0])
    one_year = np.sqrt((1 + 4) / 2)
    np.testing.assert_allclose(forecast.sd, [one_year] * 12 + [one_year * np.sqrt(2)])
    assert forecast.months[0] == np.datetime64("2003-01")


def test_seasonal_naive_looks_back_over_a_missing_month():
    values = three_years().values.copy()
    values[-12] = np.nan
    forecast = seasonal_naive(Series("gap", np.datetime64("2000-01"), values), 1)
    assert forecast.mean[0] == 1.0 and forecast.sd[0] > seasonal_naive(three_years(), 1).sd[0]


def test_climatology_by_hand():
    forecast = climatology(three_years(), 2)
    np.testing.assert_allclose(forecast.mean, np.array([0.0, 1.0]) + 4 / 3)
    np.testing.assert_allclose(forecast.sd, np.std([0, 1, 3], ddof=1) * np.sqrt(4 / 3))


def test_climatology_trend_by_hand():
    years = np.repeat(np.arange(5.0), 12)
    values = np.tile(np.sin(np.arange(12)), 5) + 0.3 * (years + np.tile(np.arange(12) / 12, 5))
    noise = np.random.default_rng(0).standard_normal(60) * 0.1
    forecast = climatology_trend(Series("line", np.datetime64("2000-01"), values), 12)
    np.testing.assert_allclose(forecast.mean, np.sin(np.arange(12)) + 0.3 * (5 + np.arange(12) / 12), atol=1e-9)
    noisy = climatology_trend(Series("line", np.datetime64("2000-01"), values + noise), 12)
    x = np.column_stack([np.tile(np.eye(12), (5, 1)), np.arange(60) / 12])
    residual = np.linalg.lstsq(x, values + noise, rcond=None)[1][0]
    future = np.column_stack([np.eye(12), np.arange(60, 72) / 12])
    leverage = np.diag(future @ np.linalg.inv(x.T @ x) @ future.T)
    np.testing.assert_allclose(noisy.sd, np.sqrt(residual / 47 * (1 + leverage)))


def test_a_calendar_month_never_observed_is_named():
    values = np.tile(np.arange(12.0), 3)
    values[[0, 12, 24]] = np.nan
    series = Series("hole", np.datetime64("2000-01"), values)
    for baseline in (seasonal_naive, climatology, climatology_trend):
        with pytest.raises(TooFewMonthsError, match="'hole'"):
            baseline(series, 12)
