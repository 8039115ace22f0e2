"""The mixture's arithmetic against brute force."""

import numpy as np
import pytest
from scipy.special import ndtr

from retraining.pipelines.climate_brazil.structural import Mixture, score, skill

MONTHS = np.datetime64("2020-01") + np.arange(3).astype("timedelta64[M]")


@pytest.fixture
def mixture():
    rng = np.random.default_rng(4)
    weights = rng.random(40)
    return Mixture(
        MONTHS,
        weights / weights.sum(),
        25 + rng.standard_normal((40, 3)),
        np.exp(rng.standard_normal((40, 3)) * 0.4),
    )


def fine_grid(forecast):
    x = np.linspace(5, 45, 400_001)
    pdf = [
        (forecast.weights[:, None] * np.exp(-0.5 * ((x - m[:, None]) / s[:, None]) ** 2) / s[:, None]).sum(0)
        for m, s in zip(forecast.means.T, forecast.sds.T, strict=True)
    ]
    return x, np.array(pdf) / np.sqrt(2 * np.pi)


def test_mean_sd_cdf_and_quantiles(mixture):
    x, pdf = fine_grid(mixture)
    step = x[1] - x[0]
    np.testing.assert_allclose(mixture.mean, (pdf * x).sum(1) * step, atol=1e-7)
    np.testing.assert_allclose(mixture.sd**2, (pdf * x**2).sum(1) * step - mixture.mean**2, atol=1e-6)
    levels = [0.001, 0.1, 0.5, 0.9, 0.999]
    quantiles = mixture.quantile(levels)
    assert quantiles.shape == (5, 3)
    for level, row in zip(levels, quantiles, strict=True):
        np.testing.assert_allclose(mixture.cdf(row), level, atol=1e-11)
    assert mixture.quantile(0.5).shape == (1, 3)


def test_crps_against_numeric_integration_and_monte_carlo(mixture):
    x = np.linspace(5, 45, 400_001)
    step = x[1] - x[0]
    actual = np.array([24.0, np.nan, 30.0])
    crps = mixture.crps(actual)
    assert np.isnan(crps[1])
    for h in (0, 2):
        cdf = mixture.weights @ ndtr((x - mixture.means[:, h, None]) / mixture.sds[:, h, None])
        assert crps[h] == pytest.approx(((cdf - (x >= actual[h])) ** 2).sum() * step, abs=2e-4)
    draws = mixture.draws(100_000, 1)
    other = mixture.draws(100_000, 2)
    estimate = np.abs(draws - actual).mean(0) - 0.5 * np.abs(draws - other).mean(0)
    np.testing.assert_allclose(crps[[0, 2]], estimate[[0, 2]], atol=0.02)


def test_crps_of_one_gaussian_is_the_closed_form():
    one = Mixture(MONTHS[:1], np.ones(1), np.array([[1.0]]), np.array([[2.0]]))
    z = 0.7
    expected = 2.0 * (z * (2 * ndtr(z) - 1) + 2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) - 1 / np.sqrt(np.pi))
    assert one.crps([1.0 + 2 * z])[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("mass", [0.5, 0.8, 0.95])
def test_interval_is_the_shortest_that_holds_the_mass(mixture, mass):
    low, high = mixture.interval(mass)
    np.testing.assert_allclose(mixture.cdf(high) - mixture.cdf(low), mass, atol=1e-9)
    p = np.linspace(1e-4, 1 - mass - 1e-4, 300)
    widths = mixture.quantile(p + mass) - mixture.quantile(p)
    assert (high - low <= widths.min(axis=0) + 1e-9).all()
    np.testing.assert_allclose(high - low, widths.min(axis=0), atol=1e-3)


def test_bad_levels_are_refused(mixture):
    with pytest.raises(ValueError, match="between 0 and 1"):
        mixture.quantile([0.1, 1.0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        mixture.interval(1.2)
    with pytest.raises(ValueError, match="one actual value a month"):
        mixture.crps([1.0])


def test_score_skips_missing_months():
    forecast = Mixture(MONTHS, np.ones(1), np.array([[1.0, 2.0, 3.0]]), np.full((1, 3), 1.0))
    result = score(forecast, [1.5, np.nan, 6.0])
    assert result["rmse"] == pytest.approx(np.sqrt((0.25 + 9) / 2))
    assert result["mae"] == pytest.approx(1.75)
    assert (result["coverage_80"], result["coverage_95"], result["months"]) == (0.5, 0.5, 2.0)
    assert np.isnan(score(forecast, [np.nan] * 3)["crps"])
    assert skill(0.4, 0.5) == pytest.approx(0.2)


def test_crps_of_a_mixture_with_a_few_very_wide_components():
    """E|X - y| - E|X - X'| / 2 pair by pair; short histories leave such components, with next to no weight."""
    from scipy.special import ndtr

    rng = np.random.default_rng(3)
    sd = np.exp(rng.normal(0, 0.3, 200)) * np.where(np.arange(200) < 5, 3000.0, 1.0)
    mean, weight = rng.normal(25, 0.5, 200), np.where(np.arange(200) < 5, 1e-7, 1.0)
    weight /= weight.sum()
    forecast = Mixture(np.array(["2000-01"], "datetime64[M]"), weight, mean[:, None], sd[:, None])

    def absolute(mean, sd):
        z = mean / sd
        return mean * (2 * ndtr(z) - 1) + 2 * sd * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

    pairs = absolute(mean[:, None] - mean, np.hypot(sd[:, None], sd))
    expected = weight @ absolute(26 - mean, sd) - weight @ pairs @ weight / 2
    assert forecast.crps([26.0])[0] == pytest.approx(expected, rel=1e-8)
