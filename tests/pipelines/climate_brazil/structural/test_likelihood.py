"""The fast path against dense linear algebra, PyMC and finite differences."""

import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import ModelConfig, fit
from retraining.pipelines.climate_brazil.structural.kernels import covariance
from retraining.pipelines.climate_brazil.structural.likelihood import Target
from retraining.pipelines.climate_brazil.structural.predict import predict
from retraining.pipelines.climate_brazil.structural.smooth import smooth

CASES = [(31, 0.0, "2000-12"), (97, 0.3, "1990-01"), (160, 0.1, "1985-07")]


def random_u(rng, size):
    return np.log([0.4, 0.6, 12.0]) + rng.standard_normal((size, 3)) * [0.6, 0.8, 0.9]


def dense(target, u):
    """Joint covariance of training and twelve future months, coefficients included; noise on both."""
    n = target.length
    x = target.design(0, n + 12) * target.prior_sd
    t = np.arange(n + 12.0)
    sigma, eta, ell = np.exp(u)
    f = covariance(target.model.kernel, np.abs(t[:, None] - t), eta, ell)
    return f + x @ x.T, sigma**2


@pytest.mark.parametrize(("months", "missing", "first"), CASES)
def test_likelihood_forecast_and_smoother_equal_dense_algebra(simulated, model, months, missing, first):
    series = simulated(months, missing=missing, first=first, seed=months)
    target = Target.of(series, model)
    u = random_u(np.random.default_rng(months), 5)
    given = target.conditional(u)
    mean, sd = predict(target, given, 12)
    smoothed = smooth(target, given)
    kept, n = np.flatnonzero(target.observed), target.length
    prior_mean = target.design(0, n + 12) @ target.prior_mean
    y = target.z[kept, 0] - prior_mean[kept]
    for i in range(len(u)):
        full, noise = dense(target, u[i])
        k = full[np.ix_(kept, kept)] + noise * np.eye(len(kept))
        inverse = np.linalg.inv(k)
        expected = -0.5 * (np.linalg.slogdet(k)[1] + y @ inverse @ y + len(kept) * np.log(2 * np.pi))
        assert given.log_likelihood[i] == pytest.approx(expected, abs=1e-8)
        cross = full[:, kept]
        posterior_mean = prior_mean + cross @ inverse @ y
        posterior_var = np.diag(full) - np.einsum("ij,jk,ik->i", cross, inverse, cross) + noise
        np.testing.assert_allclose(mean[i], posterior_mean[n:], atol=1e-8)
        np.testing.assert_allclose(sd[i] ** 2, posterior_var[n:], atol=1e-8)
        np.testing.assert_allclose(smoothed.y_mean[i], posterior_mean[:n], atol=1e-8)
        np.testing.assert_allclose(smoothed.y_sd[i] ** 2, posterior_var[:n], atol=1e-8)
        parts = smoothed.trend_mean[i] + smoothed.seasonality_mean[i]
        np.testing.assert_allclose(parts, smoothed.y_mean[i], atol=1e-9)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_log_density_equals_the_pymc_model(simulated, model):
    """The PyMC model with its exact covariance is the definition."""
    import pymc as pm

    from retraining.pipelines.climate_brazil.structural.model import build_exact_model, model_data

    first = Target.of(simulated(40), model)
    built = build_exact_model(model, model_data(first, 1, 1.2))
    log_density = built.compile_logp(mode="FAST_COMPILE")
    rng = np.random.default_rng(5)
    for months, missing, start in CASES:
        target = Target.of(simulated(months, missing=missing, first=start, seed=months + 1), model)
        values = model_data(target, 1, 1.2).exact()
        pm.set_data(values, model=built, coords={"month": range(len(values["y"]))})
        u = random_u(rng, 8)
        fast = target.log_posterior(u, target.conditional(u))
        names = ("sigma_log__", "amplitude_log__", "lengthscale_log__")
        points = u
        if model.shape_prior is not None:  # the same volume: the change of variables is a shear
            names = ("log_ratio", "log_amplitude", "log_lengthscale")
            points = np.column_stack([u[:, 0] - u[:, 1], u[:, 1], u[:, 2]])
        exact = [float(log_density(dict(zip(names, point, strict=True)))) for point in points]
        np.testing.assert_allclose(fast, exact, atol=1e-8, rtol=0)


def test_gradient_against_finite_differences(simulated, model):
    rng = np.random.default_rng(2)
    for months, missing, start in CASES:
        target = Target.of(simulated(months, missing=missing, first=start, seed=months), model)
        for u in random_u(rng, 4):
            value, gradient = target.value_and_gradient(u)
            steps = 1e-5 * np.eye(3)
            ahead, behind = (target.log_posterior(v, target.conditional(v)) for v in (u + steps, u - steps))
            numeric = (ahead - behind) / 2e-5
            np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-5)
            assert value == target.log_posterior(u[None], target.conditional(u[None]))[0]


def test_bits_do_not_depend_on_how_theta_are_grouped(simulated):
    target = Target.of(simulated(100, missing=0.2), ModelConfig())
    u = random_u(np.random.default_rng(0), 70)
    together = target.conditional(u)
    for i in (0, 33, 69):
        alone = target.conditional(u[i : i + 1])
        assert alone.log_likelihood[0] == together.log_likelihood[i]
        np.testing.assert_array_equal(alone.mean[0], together.mean[i])
        np.testing.assert_array_equal(alone.state[0], together.state[i])


def test_trailing_gap_starts_the_forecast_after_the_last_month(simulated):
    """A series whose last months are missing forecasts from its end, less certainly."""
    series = simulated(120, lengthscale=24.0)
    values = series.values.copy()
    values[-3:] = np.nan
    shorter = type(series)(series.id, series.first_month, values)
    forecast = fit(shorter).forecast(2)
    assert forecast.months[0] == series.last_month + 1
    assert forecast.sd[0] > fit(series).forecast(2).sd[0]
