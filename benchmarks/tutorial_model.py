"""Our own rebuild of the model that people take from tutorials: what the engine is measured against.

A Hilbert-space Gaussian process (squared exponential, m = 10, c = 5) as trend, 10 harmonics of the year, missing months
imputed as latent variables, no linear trend; sampled with 4 chains of 1,000 tuning and 1,000 kept draws, target 0.95.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from retraining.pipelines.climate_brazil.structural import Series

Sampler = Literal["pymc", "numpyro", "nutpie"]
HARMONICS = 10
PERIOD = 12


@dataclass(frozen=True)
class TutorialFit:
    """Draws of the forecast in °C, (draws, n_ahead), and the smallest effective sample size of the hyperparameters."""

    draws: np.ndarray
    ess: float


def fit_and_forecast(series: Series, sampler: Sampler, n_ahead: int = 12, seed: int = 0, cores: int = 1) -> TutorialFit:
    """Sample the tutorial model and forecast the months after the series' last one."""
    import arviz as az
    import pymc as pm

    length = len(series.values)
    mean, sd = np.nanmean(series.values), np.nanstd(series.values)
    y = np.ma.masked_invalid((series.values - mean) / sd)
    t = np.arange(length, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyMC announces the imputation, which is the point here
        with pm.Model() as model:
            ell = pm.Gamma("ell", 48, 2)
            eta = pm.HalfNormal("eta", 1)
            process = pm.gp.HSGP(m=[10], c=5, cov_func=eta**2 * pm.gp.cov.ExpQuad(1, ls=ell))
            trend = process.prior("trend", X=t[:, None])
            weights = pm.Normal("weights", 0, 0.5, shape=2 * HARMONICS)
            sigma = pm.HalfNormal("sigma", 0.2)
            pm.Normal("y", trend + _fourier(t) @ weights, sigma, observed=y)
            trace: Any = pm.sample(
                1000,
                tune=1000,
                chains=4,
                cores=cores,
                target_accept=0.95,
                nuts_sampler=sampler,
                random_seed=seed,
                progressbar=False,
                compute_convergence_checks=False,
            )
            ahead = np.arange(length, length + n_ahead, dtype=float)
            level = process.conditional("trend_ahead", ahead[:, None]) + _fourier(ahead) @ weights
            pm.Normal("y_ahead", level, sigma)
            predicted = pm.sample_posterior_predictive(
                trace, var_names=["y_ahead"], random_seed=seed, progressbar=False
            )
        del model
    draws = predicted.posterior_predictive["y_ahead"].to_numpy().reshape(-1, n_ahead)
    ess = az.ess(trace.posterior[["ell", "eta", "sigma"]])
    return TutorialFit(mean + sd * draws, float(min(ess[name].min() for name in ess.data_vars)))


def _fourier(t: np.ndarray) -> np.ndarray:
    angles = 2 * np.pi * np.outer(t, np.arange(1, HARMONICS + 1)) / PERIOD
    return np.hstack([np.cos(angles), np.sin(angles)])
