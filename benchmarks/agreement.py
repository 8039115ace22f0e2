"""Benchmark `agreement`: is the fast posterior the posterior?

Against a fine grid (every station, full history and its last 5 and 10 years), against long NUTS runs on the dense
exact covariance, and against known truth: simulation-based calibration (Talts et al. 2018), where over data sets drawn
from the prior predictive distribution the posterior's cdf at the true value must be uniform, also with a fleet's prior.
FULL=1 runs 5,000 data sets instead of 1,000, and NUTS on one station's full history.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import replace

import numpy as np
from measure import publish
from scipy.stats import chi2
from stations import real_stations

from retraining.pipelines.climate_brazil.structural import (
    InferenceConfig,
    Mixture,
    ModelConfig,
    Posterior,
    Series,
    StructuralError,
    audit,
    fit,
    learn_fleet,
)
from retraining.pipelines.climate_brazil.structural.fitting import integrate
from retraining.pipelines.climate_brazil.structural.kernels import covariance
from retraining.pipelines.climate_brazil.structural.likelihood import Target
from retraining.pipelines.climate_brazil.structural.marginal import Weighted
from retraining.pipelines.climate_brazil.structural.predict import predict
from retraining.pipelines.climate_brazil.structural.priors import HYPERPARAMETERS
from retraining.pipelines.climate_brazil.structural.proposal import Proposal
from retraining.pipelines.climate_brazil.structural.quadrature import sample_quadrature, weigh_grid
from retraining.pipelines.climate_brazil.structural.trend import coefficient_prior, design

FULL = os.environ.get("FULL") == "1"
MODEL, INFERENCE = ModelConfig(), InferenceConfig()
LEVELS = [0.05, 0.5, 0.95]
FINE_EDGE = 1e-5  # mass at the edge; ours may leave 5e-4
FINE_STEP = 0.35  # approximate sds; our own grids use 0.8 and 0.5
HISTORIES = {"full history": 1000, "last 20 years": 20, "last 10 years": 10, "last 5 years": 5}
LEAST_MONTHS, LARGE = 36, 0.02
DATA_SETS, BINS = (5000 if FULL else 1000), 10
AMPLITUDES = np.log([0.1, 1.0])  # that a fleet prior, flat in the logarithm, is tried with
NUTS = InferenceConfig(method="nuts", nuts_trend="exact", chains=2, draws=1000, tune=400)
NUTS_CASES = [("sao_paulo", 20), ("fortaleza", 20), *([("sao_luiz", 1000)] if FULL else [])]


def main() -> None:
    """Run the three comparisons and print one table."""
    rows, worst, fallback = _against_grid()
    rows += _against_nuts()
    p_values = {}
    for label, model in (("", MODEL), (", fleet prior", _of_the_stations())):
        found, simulated_fallback = _simulation_based_calibration(model, DATA_SETS)
        p_values |= {f"{name}{label}": p for name, p in found.items()}
        where = f"simulation-based calibration{label}"
        rows += [[where, f"rank of {name}, p-value", p, ""] for name, p in found.items()]
        rows.append([where, "fell back, share", simulated_fallback, ""])
    figure = f"posterior means within {worst['full history']:.3f} posterior sd of quadrature with full histories, "
    figure += f"{max(worst.values()):.3f} with 5, 10 or 20 years, fallback in {100 * fallback:.1f} % of fits"
    figure += f", smallest SBC p-value {min(p_values.values()):.2f} of {len(p_values)}"
    header = ["against", "figure", "median, or value", "largest"]
    publish("agreement", figure, header, rows, data_sets=DATA_SETS, p_values=p_values)


def _last(series: Series, years: int) -> Series:
    kept = min(12 * years, len(series))
    return Series(series.id, series.last_month - (kept - 1), series.values[-kept:])


def _against_grid() -> tuple[list[list], dict[str, float], float]:
    """Rows, the largest error of a posterior mean in posterior sds by history, and the share of fits that fell back."""
    rows, worst, fell_back, count = [], {}, 0, 0
    for label, years in HISTORIES.items():
        means, quantiles = [], []
        for series in real_stations().values():
            kept = _last(series, years)
            if kept.observed.sum() < LEAST_MONTHS:
                continue
            posterior = fit(kept, MODEL, INFERENCE)
            intended = "quadrature" if len(kept) <= INFERENCE.grid_months else "marginal"
            count, fell_back = count + 1, fell_back + (posterior.method_used != intended or _refused(posterior))
            grid = _fine_grid(posterior)
            means.append(_mean_errors(posterior, grid))
            if means[-1].max() > LARGE:
                name = HYPERPARAMETERS[int(means[-1].argmax())]
                print(f"{label}, {series.id}: {name} off by {means[-1].max():.3f} posterior sd")
            quantiles.append(_quantile_errors(posterior, grid))
        worst[label] = float(np.max(means))
        rows.append([f"quadrature, {label}", "posterior means, posterior sd", float(np.median(means)), np.max(means)])
        within = float(np.mean(np.array(means) <= LARGE))
        rows.append([f"quadrature, {label}", f"share of means within {LARGE} posterior sd", within, ""])
        name = "forecast quantiles, predictive sd"
        rows.append([f"quadrature, {label}", name, float(np.median(quantiles)), np.max(quantiles)])
        print(f"quadrature, {label}: {len(means)} series", flush=True)
    rows.append(["quadrature", "fell back, share", fell_back / count, ""])
    return rows, worst, fell_back / count


def _refused(posterior: Posterior) -> bool:
    # A grid that was a fallback also tells what was refused.
    return posterior.method_used != "marginal" and "k_hat" in posterior.diagnostics


def _fine_grid(posterior: Posterior) -> Weighted:
    u, weight = posterior.log_theta.astype(float), posterior.weights
    centred = u - weight @ u
    moments = Proposal.of(weight @ u, np.einsum("s,si,sj->ij", weight, centred, centred))
    grid = weigh_grid(posterior.target, moments, FINE_STEP, FINE_EDGE) or sample_quadrature(posterior.target, moments)
    if grid is None:
        raise StructuralError(f"{posterior.series_id}: no grid resolves this posterior")
    return grid


def _mean_errors(posterior: Posterior, grid: Weighted) -> np.ndarray:
    mean = grid.weight @ grid.u
    sd = np.sqrt(grid.weight @ (grid.u - mean) ** 2)
    return np.abs(posterior.weights @ posterior.log_theta.astype(float) - mean) / sd


def _quantile_errors(posterior: Posterior, grid: Weighted) -> np.ndarray:
    ours, target = posterior.forecast(12), posterior.target
    mean, sd = predict(target, grid.conditional, 12)
    exact = Mixture(ours.months, grid.weight, target.y_mean + target.y_sd * mean, target.y_sd * sd)
    # A few thousandfold wide components of a short history make the sd itself a poor unit.
    low, high = exact.quantile([0.1587, 0.8413])
    return np.abs(ours.quantile(LEVELS) - exact.quantile(LEVELS)) / ((high - low) / 2)


def _against_nuts() -> list[list]:
    rows = []
    for name, years in NUTS_CASES:
        series = _last(real_stations()[name], years)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = audit(series, fit(series, MODEL, INFERENCE), inference=NUTS)
        shift = [abs(found[f"shift_{key}"]) for key in HYPERPARAMETERS]
        z = [abs(found[f"z_{key}"]) for key in (*HYPERPARAMETERS, "forecast")]
        label = f"NUTS, {name}, {len(series) // 12} years"
        rows.append([label, "posterior means, posterior sd", float(np.median(shift)), max(shift)])
        rows.append([label, "forecast means, predictive sd", "", abs(found["shift_forecast"])])
        rows.append([label, "the same in standard errors, |z|", float(np.median(z)), max(z)])
        rows.append([label, "NUTS' own R-hat, ESS", found["nuts_r_hat"], found["nuts_ess"]])
        print(f"{label}: done", flush=True)
    return rows


def _simulation_based_calibration(model: ModelConfig, data_sets: int) -> tuple[dict[str, float], float]:
    """p-values of uniformity by chi-square, and the share of data sets whose fit fell back."""
    cdfs, fell_back = [], 0
    for number in range(data_sets):
        rng = np.random.default_rng([2019, number])
        target, truth, future = _simulated(rng, model)
        _, sample = integrate(target, INFERENCE, number, None)
        fell_back += "k_hat" in sample.diagnostics
        if model.shape_prior is not None:  # flat in log amplitude: the truth was drawn from a part of it
            inside = (sample.u[:, 1] >= AMPLITUDES[0]) & (sample.u[:, 1] <= AMPLITUDES[1])
            sample = replace(sample, weight=sample.weight * inside / (sample.weight @ inside))
        mean, sd = predict(target, sample.conditional, len(future))
        months = np.datetime64("2000-01") + np.arange(len(future))
        cdfs.append([*sample.below(truth), Mixture(months, sample.weight, mean, sd).cdf(future)[-1]])
    p_values = {}
    for name, values in zip((*HYPERPARAMETERS, "forecast month 6"), np.array(cdfs).T, strict=True):
        counts, _ = np.histogram(values, bins=BINS, range=(0, 1))
        expected = data_sets / BINS
        p_values[name] = float(chi2.sf(((counts - expected) ** 2 / expected).sum(), BINS - 1))
    return p_values, fell_back / data_sets


def _of_the_stations() -> ModelConfig:
    """The model with what the real stations teach a newcomer, in standard deviations of a series."""
    histories = [one.until(np.datetime64("2007-12")) for one in real_stations().values()]
    fleet = learn_fleet([fit(one, MODEL, INFERENCE) for one in histories])
    taught, sd = fleet.model_for("a newcomer", MODEL), float(np.median([one.sd for one in fleet.donors]))
    assert taught.seasonal_sd is not None and taught.pooled_slope_mean is not None and taught.pooled_slope_sd
    scaled = {"pooled_slope_mean": taught.pooled_slope_mean / sd, "pooled_slope_sd": taught.pooled_slope_sd / sd}
    return taught.model_copy(update=scaled | {"seasonal_sd": tuple(one / sd for one in taught.seasonal_sd)})


def _hyperparameters(rng: np.random.Generator, model: ModelConfig) -> tuple[float, float, float]:
    if model.shape_prior is None:
        sigma, eta = np.abs(rng.standard_normal(2)) * [model.noise_scale, model.amplitude_scale]
        return sigma, eta, model.lengthscale_median * np.exp(model.lengthscale_sd * rng.standard_normal())
    m0, s0, m1, slope, s1 = model.shape_prior.conditional
    ratio, log_eta = m0 + s0 * rng.standard_normal(), rng.uniform(*AMPLITUDES)
    log_ell = m1 + slope * (ratio - m0) + s1 * rng.standard_normal()
    return float(np.exp(ratio + log_eta)), float(np.exp(log_eta)), float(np.exp(log_ell))


def _simulated(rng: np.random.Generator, model: ModelConfig) -> tuple[Target, np.ndarray, np.ndarray]:
    """A target whose data come from the prior, its log theta, and the six months after the last.

    The target is built by hand: standardising the data again would change what the prior means.
    """
    length, ahead = int(rng.integers(60, 121)), 6
    sigma, eta, ell = _hyperparameters(rng, model)
    x = design(model, 0, length, 0, length + ahead)
    mean, sd = coefficient_prior(model, length, 1.0)
    t = np.arange(length + ahead, dtype=float)
    k = covariance(model.kernel, np.abs(t[:, None] - t), eta, ell)
    values, vectors = np.linalg.eigh(k)
    f = vectors @ (np.sqrt(np.maximum(values, 0)) * rng.standard_normal(len(t)))
    y = x @ (mean + sd * rng.standard_normal(len(sd))) + f + sigma * rng.standard_normal(len(t))
    observed = rng.random(length) > rng.choice([0.0, 0.1, 0.3])
    observed[0] = True
    z = np.ascontiguousarray(np.column_stack([np.where(observed, y[:length], 0.0), x[:length]]))
    return Target("simulated", model, z, observed, 0.0, 1.0, 0), np.log([sigma, eta, ell]), y[length:]


if __name__ == "__main__":
    main()
