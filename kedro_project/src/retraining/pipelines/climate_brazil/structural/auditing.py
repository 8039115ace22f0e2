"""The fast posterior against NUTS on the same series."""

import numpy as np
from numpy.typing import NDArray

from .config import InferenceConfig, ModelConfig
from .errors import StructuralError
from .fitting import series_seed
from .nuts import run_chains
from .posterior import Posterior
from .predict import predict
from .priors import HYPERPARAMETERS
from .series import Series

Floats = NDArray[np.float64]

# Dense covariance: an approximation's own bias would be taken for an error of the fast path. Three well-behaved
# parameters need few draws.
DEFAULT = InferenceConfig(method="nuts", nuts_trend="exact", chains=2, draws=150, tune=150, min_ess=10)


def audit(
    series: Series,
    posterior: Posterior,
    model: ModelConfig | None = None,
    inference: InferenceConfig | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Differences between the NUTS posterior and the fast one.

    Both are of the whole history: of a posterior with two windows the recent one is not audited, and `forecast` means
    that of the whole history alone. NUTS runs on the dense exact covariance unless `inference` says otherwise.

    z_<name>: difference of posterior means of log theta, in Monte Carlo standard errors of both. z_forecast: the
    largest such |z| of the forecast mean over twelve months. shift_<name>: the same differences in posterior
    (for the forecast: predictive) standard deviations, which say whether a large z matters. nuts_r_hat,
    nuts_ess, nuts_divergences: whether NUTS itself can be believed.
    """
    import arviz as az  # heavy

    if not len(posterior.log_theta):
        raise StructuralError(f"series {series.id!r} borrows its group's climatology: there is no posterior to audit")
    model, inference = model or posterior.model, inference or DEFAULT
    if model != posterior.model or len(series) != len(posterior.series) or series.id != posterior.series_id:
        raise StructuralError(
            f"series {series.id!r}: the posterior is of another series or model; audit what was fitted"
        )
    target, given, weights = posterior.target, posterior.conditional, posterior.weights
    chains = run_chains(target, inference, series_seed(seed, f"audit:{series.id}"))
    out: dict[str, float] = {}
    for i, name in enumerate(HYPERPARAMETERS):
        z, shift = _compare(chains.u[..., i], given.u[:, i], weights, float(az.ess(chains.u[..., i])))
        out[f"z_{name}"], out[f"shift_{name}"] = z, shift
    means, sds = predict(target, given, chains.forecast_mean.shape[-1])
    zs, shifts = [], []
    for h in range(means.shape[1]):
        draws = chains.forecast_mean[..., h]
        z, _ = _compare(draws, means[:, h], weights, float(az.ess(draws)))
        predictive_sd = np.sqrt(weights @ (sds[:, h] ** 2 + (means[:, h] - weights @ means[:, h]) ** 2))
        zs.append(z)
        shifts.append(float((draws.mean() - weights @ means[:, h]) / predictive_sd))
    out["z_forecast"], out["shift_forecast"] = max(zs, key=abs), max(shifts, key=abs)
    return out | {f"nuts_{name}": value for name, value in chains.diagnostics.items()}


def _compare(draws: Floats, points: Floats, weights: Floats, ess: float) -> tuple[float, float]:
    """(difference of means in standard errors, in posterior sds)."""
    mean = weights @ points
    sd = float(np.sqrt(weights @ (points - mean) ** 2))
    error = np.sqrt(float(draws.var()) / ess + sd**2 * float((weights**2).sum()))
    difference = float(draws.mean() - mean)
    return difference / float(error), difference / sd
