"""Log-normal mixtures and averages of two windows against brute force."""

import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import (
    AveragedForecast,
    Forecast,
    LogMixture,
    Mixture,
    ModelConfig,
    fit,
)

MONTHS = np.datetime64("2020-01") + np.arange(3).astype("timedelta64[M]")
FINE = (np.arange(20_000) + 0.5) / 20_000


def mixture(centre: float, spread: float, seed: int) -> Mixture:
    rng = np.random.default_rng(seed)
    weights = rng.random(30)
    means = centre + spread * rng.standard_normal((30, 3))
    return Mixture(MONTHS, weights / weights.sum(), means, spread * np.exp(0.3 * rng.standard_normal((30, 3))))


FORMS = {
    "log": LogMixture.of(mixture(0.5, 0.3, 1)),
    "average": AveragedForecast(mixture(25, 1.0, 2), mixture(25.7, 0.6, 3)),
    "average of log": AveragedForecast(LogMixture.of(mixture(0.5, 0.3, 1)), LogMixture.of(mixture(0.7, 0.2, 4))),
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Forecast:
    return FORMS[request.param]


@pytest.fixture
def drawn(form: Forecast) -> np.ndarray:
    """20,000 evenly spaced quantiles of each month: the distribution itself, as a sample without noise."""
    rows = [form.quantile_at(level) for level in FINE[::20]]
    return np.array([np.interp(FINE, FINE[::20], column) for column in np.array(rows).T]).T


def test_quantiles_and_cdf_are_inverse(form):
    for level in (0.001, 0.1, 0.5, 0.9, 0.999):
        np.testing.assert_allclose(form.cdf(form.quantile(level)[0]), level, atol=1e-7)
    assert np.isnan(form.cdf(np.nan)).all()


def test_mean_sd_and_crps_are_those_of_the_quantiles(form, drawn):
    np.testing.assert_allclose(form.mean, drawn.mean(axis=0), rtol=2e-3)
    np.testing.assert_allclose(form.sd, drawn.std(axis=0), rtol=4e-2)  # without the farthest tail
    half = (drawn * (2 * FINE - 1)[:, None]).mean(axis=0)
    for level in (0.02, 0.4, 0.97):
        y = form.quantile(level)[0]
        expected = np.abs(drawn - y).mean(axis=0) - half
        np.testing.assert_allclose(form.crps(y), expected, rtol=5e-3, atol=2e-4)
    assert np.isnan(form.crps([np.nan] * 3)).all()


@pytest.mark.parametrize("mass", [0.5, 0.8, 0.95])
def test_intervals_hold_their_mass_and_none_is_shorter(form, mass):
    low, high = form.interval(mass)
    np.testing.assert_allclose(form.cdf(high) - form.cdf(low), mass, atol=1e-6)
    begins = np.linspace(1e-4, 1 - mass - 1e-4, 200)
    shortest = np.min([form.quantile_at(p + mass) - form.quantile_at(p) for p in begins], axis=0)
    np.testing.assert_allclose(high - low, shortest, rtol=2e-3)


def test_an_average_of_quantiles_is_no_mixture():
    """Far apart, a mixture would be as wide as both together; the average keeps the width of one."""
    one, other = (Mixture(MONTHS, np.ones(1), np.full((1, 3), centre), np.ones((1, 3))) for centre in (20.0, 26.0))
    both = AveragedForecast(one, other)
    np.testing.assert_allclose(both.mean, 22.0)
    np.testing.assert_allclose(both.sd, 1.0, atol=1e-3)
    np.testing.assert_allclose(both.quantile(0.9)[0], 22 + 1.2815516, atol=1e-6)


def test_two_windows_of_a_series(simulated):
    """Quantiles are those of both posteriors; draws have its margins and move together; a short history has one."""
    series = simulated(240, sigma=0.2, amplitude=0.8, lengthscale=20.0)
    posterior = fit(series, ModelConfig(recent_years=10))
    alone = fit(series.newest(120), ModelConfig(recent_years=10))
    assert alone.recent is None and posterior.recent is not None
    forecast, full = posterior.forecast(12), fit(series).forecast(12)
    expected = 2 / 3 * full.quantile([0.1, 0.5]) + 1 / 3 * alone.forecast(12).quantile([0.1, 0.5])
    np.testing.assert_allclose(forecast.quantile([0.1, 0.5]), expected, rtol=1e-12)
    draws = forecast.draws(20_000, seed=5)
    np.testing.assert_allclose(np.quantile(draws, [0.1, 0.9], axis=0), forecast.quantile([0.1, 0.9]), atol=0.03)
    assert np.corrcoef(draws[:, 5], draws[:, 6])[0, 1] > 0.7
    np.testing.assert_array_equal(posterior.components(0)["trend"], fit(series).components(0)["trend"])


def test_a_mean_of_the_logarithm_is_not_that_of_a_component_without_weight():
    sds = np.array([[0.1], [40.0]])
    forecast = LogMixture.of(Mixture(MONTHS[:1], np.array([1 - 1e-9, 1e-9]), np.zeros((2, 1)), sds))
    assert forecast.mean[0] == pytest.approx(np.exp(0.005), rel=1e-6)
