"""From a series to its forecast: recovery, agreement of methods, determinism."""

import os
import subprocess
import sys

import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import (
    InferenceConfig,
    InferenceError,
    ModelConfig,
    Series,
    fit,
    score,
)
from retraining.pipelines.climate_brazil.structural import fitting as fitting_module
from retraining.pipelines.climate_brazil.structural import nuts as nuts_module
from retraining.pipelines.climate_brazil.structural.likelihood import Target
from retraining.pipelines.climate_brazil.structural.marginal import Start
from retraining.pipelines.climate_brazil.structural.proposal import Proposal
from retraining.pipelines.climate_brazil.structural.psis import smooth_log_weights
from retraining.pipelines.climate_brazil.structural.quadrature import sample_quadrature, weigh_grid


def test_known_parameters_are_recovered(simulated):
    """Truth within three posterior sds, in most of several data sets within two."""
    truth = {"sigma": 0.5, "amplitude": 0.8, "lengthscale": 14.0}
    zs = []
    for seed in range(6):
        posterior = fit(simulated(480, **truth, slope=1.0, missing=0.1, seed=seed))
        u = np.log(posterior.theta)
        u[:, :2] += np.log(posterior.y_sd)
        mean = posterior.weights @ u
        sd = np.sqrt(posterior.weights @ (u - mean) ** 2)
        zs.append((mean - np.log(list(truth.values()))) / sd)
    assert np.abs(zs).max() < 3.2 and (np.abs(zs) < 2).mean() > 0.8


def test_forecasts_are_calibrated_on_simulated_series(simulated, model):
    covered = []
    for seed in range(12):
        series = simulated(252, kernel=model.kernel, missing=0.1, seed=100 + seed)
        result = score(fit(series.until("2009-12"), model).forecast(12), series.values[240:])
        covered.append(result["coverage_80"])
    assert 0.65 < np.mean(covered) < 0.93


@pytest.mark.parametrize(("months", "first"), [(36, "2000-12"), (61, "1999-03"), (601, "1960-12")])
def test_lengths_and_starts(simulated, months, first):
    posterior = fit(simulated(months, first=first))
    forecast = posterior.forecast(12)
    assert posterior.first_month == np.datetime64(first)
    assert forecast.months[0] == np.datetime64(first) + months
    assert np.isfinite(forecast.mean).all() and (forecast.sd > 0).all()
    warm = np.argmax(forecast.mean)
    assert int(forecast.months[warm].astype(int)) % 12 in (11, 0, 1)  # the simulated cosine peaks in January


def test_leap_years_are_irrelevant(simulated):
    """Months are counted, not days: the same values from 2000 (leap) or 2001 on are the same series."""
    values = simulated(120).values
    leap, common = (fit(Series("s", np.datetime64(first), values)).forecast(12) for first in ("2000-01", "2001-01"))
    np.testing.assert_array_equal(leap.mean, common.mean)
    np.testing.assert_array_equal(leap.months + 12, common.months)


def test_a_whole_missing_year_and_long_gaps(simulated):
    values = simulated(300).values.copy()
    values[60:72] = np.nan
    values[150:205] = np.nan
    posterior = fit(Series("gaps", np.datetime64("1990-01"), values))
    in_sample = posterior.in_sample()
    assert posterior.n_months == 300 - 12 - 55 and len(in_sample) == 300
    assert in_sample.sd[177] > in_sample.sd[100]
    parts = posterior.components(24)
    np.testing.assert_allclose((parts["trend"] + parts["seasonality"])[:300], in_sample.mean, atol=1e-9)
    assert all(len(v) == 324 for v in parts.values())


def test_components_join_the_forecast(simulated):
    posterior = fit(simulated(240))
    parts, forecast = posterior.components(12), posterior.forecast(12)
    assert np.abs((parts["trend"] + parts["seasonality"])[240:] - forecast.mean).max() < 0.1 * forecast.sd.min()


def test_draws_are_coherent_paths_with_the_exact_margins(simulated):
    forecast = fit(simulated(240, sigma=0.1, amplitude=1.0, lengthscale=20.0)).forecast(12)
    draws = forecast.draws(20_000, seed=5)
    np.testing.assert_allclose(draws.mean(0), forecast.mean, atol=5 * (forecast.sd / np.sqrt(20_000)).max())
    np.testing.assert_allclose(draws.std(0), forecast.sd, rtol=0.03)
    assert np.corrcoef(draws[:, 5], draws[:, 6])[0, 1] > 0.9
    np.testing.assert_array_equal(draws[:10], forecast.draws(20_000, seed=5)[:10])


def test_quadrature_agrees_with_importance_sampling(simulated, model):
    series = simulated(180, missing=0.15, kernel=model.kernel)
    target = Target.of(series, model)
    posterior = fit(series, model, InferenceConfig(points=4096, grid_months=0))
    grid = sample_quadrature(target, posterior.start.proposal)
    assert grid is not None and grid.diagnostics["grid_error"] < 1e-2
    u = posterior.log_theta.astype(float)
    mean = posterior.weights @ u
    sd = np.sqrt(posterior.weights @ (u - mean) ** 2)
    exact = grid.weight @ grid.u
    assert np.abs((mean - exact) / sd).max() < 0.02
    assert np.abs(sd / np.sqrt(grid.weight @ (grid.u - exact) ** 2) - 1).max() < 0.03


def test_the_gate_falls_back_to_quadrature_and_says_so(simulated):
    series = simulated(120)
    strict = InferenceConfig(points=64, min_ess=57, max_k_hat=0.01, grid_months=0)
    posterior = fit(series, inference=strict)
    assert posterior.method_used == "quadrature" and {"k_hat", "ess", "grid_error"} <= posterior.diagnostics.keys()
    usual = fit(series, inference=InferenceConfig(grid_months=0))
    assert usual.method_used == "marginal"
    difference = (posterior.forecast(12).mean - usual.forecast(12).mean) / usual.forecast(12).sd
    assert np.abs(difference).max() < 0.005
    with pytest.raises(InferenceError, match="fallback is off"):
        fit(series, inference=strict.model_copy(update={"fallback": False}))


@pytest.mark.parametrize("months", [60, 120])
def test_a_short_history_is_integrated_on_a_grid(simulated, model, months):
    """Closer to a much finer grid than 0.02 posterior sd, which 1,024 points do not always reach."""
    for seed in range(4):
        series = simulated(months, kernel=model.kernel, missing=0.1, seed=seed)
        posterior = fit(series, model)
        assert posterior.method_used == "quadrature" and "k_hat" not in posterior.diagnostics
        fine = weigh_grid(posterior.target, posterior.start.proposal, 0.35)
        mean = fine.weight @ fine.u
        sd = np.sqrt(fine.weight @ (fine.u - mean) ** 2)
        assert np.abs((posterior.weights @ posterior.log_theta - mean) / sd).max() < 0.02


def test_the_share_below_a_value_is_interpolated_between_the_nodes_of_a_grid(simulated, model):
    """Four times as many nodes each way tell the same; counting whole nodes is off by up to a node's mass."""
    series = simulated(120, kernel=model.kernel, missing=0.1)
    target, proposal = Target.of(series, model), fit(series, model).start.proposal
    grid, fine = weigh_grid(target, proposal, 0.8), weigh_grid(target, proposal, 0.2)
    counted = []
    for u in proposal.location + np.linspace(-2, 2, 21)[:, None] * np.diag(proposal.scale):
        np.testing.assert_allclose(grid.below(u), fine.below(u), atol=5e-3)
        counted.append(np.abs(grid.weight @ (grid.u < u) - fine.below(u)).max())
    assert max(counted) > 0.05


@pytest.mark.parametrize("settings", [(21, 0.5, 0.3, 1.0), (46, 0.1, 0.6, 1.0)])
def test_a_rough_short_history_needs_no_nuts(simulated, settings):
    """190 complete months of matern12, whose posterior is long on one side: once minutes of NUTS."""
    seed, sigma, amplitude, lengthscale = settings
    rough = ModelConfig(kernel="matern12")
    series = simulated(190, kernel="matern12", sigma=sigma, amplitude=amplitude, lengthscale=lengthscale, seed=seed)
    assert fit(series, rough, InferenceConfig(fallback=False)).method_used == "quadrature"


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")
def test_a_fallback_that_takes_too_long_is_given_up_and_fails_the_gate(simulated, monkeypatch, caplog):
    """The limit is next to no time: no machine is fast enough, and nothing is waited for."""
    monkeypatch.setattr(fitting_module, "sample_quadrature", lambda target, proposal: None)
    monkeypatch.setattr(nuts_module, "_is_finished", lambda sampler: False)
    strict = InferenceConfig(points=64, min_ess=57, max_k_hat=0.01, max_fallback_seconds=1e-3, nuts_trend="exact")
    posterior = fit(simulated(48), inference=strict)
    assert posterior.method_used == "marginal" and posterior.diagnostics["fallback_timed_out"] == 1
    assert posterior.diagnostics["ess"] < strict.min_ess or posterior.diagnostics["k_hat"] > strict.max_k_hat
    assert "max_fallback_seconds=0.001" in caplog.text and np.isfinite(posterior.forecast(12).mean).all()


def test_the_refit_of_a_short_history_starts_from_the_first_fit(simulated, monkeypatch):
    series = simulated(132, seed=5)
    first = fit(series.until("2000-12"))
    fresh = fit(series)
    monkeypatch.setattr(fitting_module, "find_mode", None)  # would be searched with this
    again = fit(series, start=first.start)
    assert again.method_used == "quadrature"
    shift = (again.forecast(12).mean - fresh.forecast(12).mean) / fresh.forecast(12).sd
    assert np.abs(shift).max() < 0.01


def test_same_seed_same_bits_whatever_the_order(simulated):
    series = [simulated(250 + i, seed=i, name=f"s{i}") for i in range(3)]
    forward = [fit(s, seed=7).forecast(12) for s in series]
    backward = [fit(s, seed=7).forecast(12) for s in reversed(series)][::-1]
    for a, b in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(a.mean, b.mean)
        np.testing.assert_array_equal(a.quantile([0.1, 0.9]), b.quantile([0.1, 0.9]))
    assert not np.array_equal(fit(series[0], seed=8).forecast(1).mean, forward[0].mean[:1])
    assert fitting_module.series_seed(7, "s0") == 12457298837732231423


def test_refit_reuses_the_start(simulated):
    series = simulated(252, seed=3)
    first = fit(series.until("2009-12"))
    again = fit(series, start=first.start)
    assert again.diagnostics["rounds"] == 0 and again.diagnostics["ess"] > 400
    fresh = fit(series)
    assert fresh.diagnostics["rounds"] >= 1
    shift = (again.forecast(12).mean - fresh.forecast(12).mean) / fresh.forecast(12).sd
    assert np.abs(shift).max() < 0.01


def test_a_useless_start_is_searched_again(simulated):
    away = Start(np.array([-3.0, 2.0, 6.0]), Proposal.of(np.array([-3.0, 2.0, 6.0]), 0.01 * np.eye(3)))
    posterior = fit(simulated(252), start=away)
    assert posterior.method_used == "marginal" and posterior.diagnostics["rounds"] >= 1
    short = simulated(120)
    moved = fit(short, start=away).forecast(12).mean - fit(short).forecast(12).mean
    assert np.abs(moved).max() < 1e-9


def test_pareto_smoothing_matches_arviz():
    import arviz as az

    log_ratio = np.random.default_rng(0).standard_t(4, 2000)
    weights, k_hat = smooth_log_weights(log_ratio)
    expected, expected_k = az.psislw(log_ratio)
    assert k_hat == pytest.approx(float(expected_k), abs=1e-8)
    np.testing.assert_allclose(weights, expected, atol=1e-8)


CORETYPE = """
import numpy as np
from retraining.pipelines.climate_brazil.structural import Series, fit
rng = np.random.default_rng(0)
y = 25 + np.cos(np.arange(150) * np.pi / 6) + 0.1 * np.cumsum(rng.standard_normal(150)) + 0.3 * rng.standard_normal(150)
f = fit(Series("s", np.datetime64("2000-01"), y)).forecast(12)
print(*f.mean, *f.quantile([0.1, 0.9]).ravel())
"""


def test_processor_types_agree():
    results = []
    for core in ("Haswell", "Nehalem"):
        environment = {**os.environ, "OPENBLAS_CORETYPE": core, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", CORETYPE]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        results.append(np.array(run.stdout.split(), dtype=float))
    np.testing.assert_allclose(results[0], results[1], atol=1e-6, rtol=0)


def test_import_is_light():
    heavy = ("pymc", "arviz", "pytensor", "pandas", "xarray")
    code = (
        f"import sys, retraining.pipelines.climate_brazil.structural; print([m for m in {heavy} if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_real_stations(stations):
    """Two origins of the published table, pooled."""
    errors, crps = [], []
    for series in stations:
        for origin in ("2009-10", "2015-10"):
            training = series.until(origin)
            actual = np.full(12, np.nan)
            held_out = series.values[len(training) : len(training) + 12]
            actual[: len(held_out)] = held_out
            forecast = fit(training, ModelConfig()).forecast(12)
            errors.append(actual - forecast.mean)
            crps.append(forecast.crps(actual))
    assert np.sqrt(np.nanmean(np.square(errors))) == pytest.approx(0.74, abs=0.08)
    assert np.nanmean(crps) == pytest.approx(0.40, abs=0.04)
