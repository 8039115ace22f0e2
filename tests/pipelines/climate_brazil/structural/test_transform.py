"""Positive series by their logarithm."""

import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import InvalidSeriesError, ModelConfig, Series, fit
from retraining.pipelines.climate_brazil.structural.transform import settle_transform

LOG, AUTO = ModelConfig(transform="log"), ModelConfig(transform="auto")


def positive(simulated, **options) -> Series:
    series = simulated(**options)
    return Series("sales", series.first_month, np.exp(0.6 * (series.values - 25) + 3))


def test_auto_takes_the_logarithm_of_what_grows_by_shares_and_nothing_else(simulated):
    for seed in range(4):
        assert settle_transform(positive(simulated, months=96, seed=seed), AUTO).transform == "log"
        assert settle_transform(simulated(96, seed=seed), AUTO).transform == "none"
    below = simulated(96)
    assert settle_transform(Series("s", below.first_month, below.values - 26), AUTO).transform == "none"


def test_a_series_beside_zero_has_no_negative_quantile_and_the_unit_it_came_in(simulated):
    series = positive(simulated, months=96, sigma=1.2, amplitude=1.0)
    posterior = fit(series, AUTO)
    forecast, parts = posterior.forecast(24), posterior.components(12)
    assert posterior.model.transform == "log"
    assert forecast.quantile(0.001).min() > 0 and forecast.interval(0.95)[0].min() > 0 and forecast.draws(500).min() > 0
    assert fit(series).forecast(24).quantile(0.025).min() < 0  # what the logarithm is for
    fitted = parts["trend"] + parts["seasonality"]
    assert np.corrcoef(np.log(fitted[:96]), np.log(series.values))[0, 1] > 0.7
    assert 0.5 < np.median(fitted[:96]) / np.median(series.values) < 2


def test_units_do_not_decide(simulated):
    """Kilograms or tonnes: the same choice, and the same forecast in the other unit."""
    series = positive(simulated, months=96)
    small = Series(series.id, series.first_month, series.values / 1000)
    one, other = fit(series, AUTO), fit(small, AUTO)
    assert one.model == other.model
    np.testing.assert_allclose(one.forecast(12).mean, 1000 * other.forecast(12).mean, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, -2.0])
def test_zero_and_negative_values_refuse_log_by_name(simulated, value):
    values = positive(simulated, months=96).values.copy()
    values[17] = value
    with pytest.raises(InvalidSeriesError, match=r"'sales': transform: log .* 1 are not \(first: 1991-06\).*none"):
        fit(Series("sales", np.datetime64("1990-01"), values), LOG)


def test_a_damped_line_levels_off(simulated):
    series = simulated(60, slope=6.0, sigma=0.2, amplitude=0.01)
    straight = {"pooled_slope_mean": 12.0, "pooled_slope_sd": 1e-3, "amplitude_scale": 1e-3}
    mean = fit(series, ModelConfig(**straight, damping=0.9)).forecast(72).mean
    rise = mean[12:] - mean[:-12]
    share = 0.9 * (1 - 0.9 ** np.arange(73)) / 0.1  # months of the line that so many months count for
    np.testing.assert_allclose(rise, 0.1 * (share[13:] - share[1:-12]), atol=0.02)
    np.testing.assert_allclose(
        fit(series, ModelConfig(**straight, damping=0.9)).in_sample().mean,
        fit(series, ModelConfig(**straight)).in_sample().mean,
    )


def test_quarters(simulated):
    """Each third month as a quarterly series: four seasons, a forecast a quarter apart, no month's unit anywhere."""
    monthly = simulated(240, sigma=0.2, amplitude=0.1)
    model = ModelConfig(period=4)
    assert (model.harmonics, model.lengthscale_median) == (2, 8.0)
    series = Series("q", monthly.first_month, monthly.values[::3], step=3)
    assert series.last_month == np.datetime64("2009-10") and series.until("2005-03").last_month == np.datetime64(
        "2005-01"
    )
    posterior = fit(series, model)
    forecast = posterior.forecast(8)
    assert forecast.months[0] == np.datetime64("2010-01") and forecast.months[-1] == np.datetime64("2011-10")
    season = 25 + 2 * np.cos(2 * np.pi * np.array([0, 3, 6, 9]) / 12)
    assert np.abs(forecast.mean[:4] - season).max() < 0.6
    assert posterior.components(2)["months"][-1] == np.datetime64("2010-04")
    with pytest.raises(InvalidSeriesError, match=r"period=12 .*every 3 months.*period: 4"):
        fit(series)
    with pytest.raises(InvalidSeriesError, match=r"period=4 .*step=3"):
        fit(monthly, model)
