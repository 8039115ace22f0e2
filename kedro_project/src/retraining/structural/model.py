"""The model, written once in PyMC: this is the definition, the fast path is a way to compute it.

    y(t) = intercept + slope tau(t) + f(t) + Fourier(t) + Normal(0, sigma^2),   f ~ GP(0, eta^2 Matern(l))

Everything on the standardised scale, time in months, missing months absent. For sampling, f is its Hilbert-space
approximation (Riutort-Mayol et al. 2022, Solin & Saerkkae 2020): f = sum_j phi_j(t) sqrt(S(omega_j)) w_j.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig
from .likelihood import Target
from .trend import column_labels, design

if TYPE_CHECKING:
    import pymc

Floats = NDArray[np.float64]

AHEAD = 12  # months after the last that the approximation's domain must still cover
BASIS_STEP = 64  # sizes are rounded up to this, so that series of similar length share one compiled model
PRIOR_TAIL = 1.96  # lengthscales within this many prior sds must be represented


@dataclass(frozen=True, eq=False)
class ModelData:
    """What `pm.Data` holds for one series: observed months only."""

    y: Floats
    columns: Floats
    basis: Floats
    frequency: Floats

    def as_dict(self) -> dict[str, Floats]:
        return {"y": self.y, "columns": self.columns, "phi": self.basis, "omega": self.frequency}


def basis_size(model: ModelConfig, length: int) -> tuple[int, float]:
    """m and c of the approximation, from the published rule, for this span and the prior's lengthscales."""
    from pymc.gp.hsgp_approx import approx_hsgp_hyperparams

    half = half_span(length)
    tail = np.exp(PRIOR_TAIL * model.lengthscale_sd)
    m, c = approx_hsgp_hyperparams(
        x_range=[-half, half],
        lengthscale_range=[model.lengthscale_median / tail, model.lengthscale_median * tail],
        cov_func="matern32",
    )
    if model.kernel == "matern12":  # rougher than the rule's kernels: resolve up to the Nyquist frequency
        m = max(m, int(np.ceil(2 * c * half)))
    return int(-(-m // BASIS_STEP) * BASIS_STEP), float(c)


def half_span(length: int) -> float:
    """Half the months of the training span, and AHEAD more on each side."""
    return (length - 1) / 2 + AHEAD


def hilbert_basis(position: NDArray[Any], length: int, m: int, c: float) -> tuple[Floats, Floats]:
    """phi_j(t) = sin(omega_j (t + L)) / sqrt(L), omega_j = j pi / (2 L), L = c half-span; t centred, months."""
    boundary = c * half_span(length)
    frequency = np.arange(1, m + 1) * np.pi / (2 * boundary)
    t = np.asarray(position, dtype=np.float64) - (length - 1) / 2
    return np.sin((t[:, None] + boundary) * frequency) / np.sqrt(boundary), frequency


def model_data(target: Target, m: int, c: float) -> ModelData:
    kept = np.flatnonzero(target.observed)
    basis, frequency = hilbert_basis(kept, target.length, m, c)
    return ModelData(target.z[kept, 0].copy(), target.z[kept, 1:].copy(), basis, frequency)


def _hyperpriors(model: ModelConfig) -> tuple[Any, Any, Any]:
    import pymc as pm

    return (
        pm.HalfNormal("sigma", model.noise_scale),
        pm.HalfNormal("amplitude", model.amplitude_scale),
        pm.LogNormal("lengthscale", mu=np.log(model.lengthscale_median), sigma=model.lengthscale_sd),
    )


def spectral_density(model: ModelConfig, frequency: Any, lengthscale: Any) -> Any:
    """S(omega) for unit amplitude. matern12 on whole months is an AR(1), whose density includes the aliases."""
    import pymc as pm
    import pytensor.tensor as pt

    if model.kernel == "matern32":
        return pm.gp.cov.Matern32(1, ls=lengthscale).power_spectral_density(frequency[:, None])
    decay = pt.exp(-1 / lengthscale)
    density = (1 - decay**2) / (1 - 2 * decay * pt.cos(frequency) + decay**2)
    return pt.switch(pt.le(frequency, np.pi), density, 0.0)


def build_model(model: ModelConfig, data: ModelData) -> "pymc.Model":
    """The sampling form, with every coefficient and the Hilbert-space trend as variables."""
    import pymc as pm
    import pytensor.tensor as pt

    labels = column_labels(model)
    with pm.Model(coords={"column": labels, "harmonic": labels[2:], "month": range(data.y.size)}) as built:
        built.add_coord("basis", values=np.arange(data.frequency.size))
        columns = pm.Data("columns", data.columns, dims=("month", "column"))
        basis = pm.Data("phi", data.basis, dims=("month", "basis"))
        frequency = pm.Data("omega", data.frequency, dims="basis")
        observed = pm.Data("y", data.y, dims="month")
        sigma, amplitude, lengthscale = _hyperpriors(model)
        intercept = pm.Normal("intercept", 0, model.intercept_scale)
        slope = pm.Normal("slope", 0, model.slope_scale)
        fourier = pm.Normal("fourier", 0, model.coefficient_scale, dims="harmonic")
        weight = pm.Normal("basis_weight", dims="basis")
        spectrum = amplitude * pt.sqrt(spectral_density(model, frequency, lengthscale))
        trend = intercept + slope * columns[:, 1] + basis @ (spectrum * weight)
        seasonality = columns[:, 2:] @ fourier
        pm.Normal("temperature", trend + seasonality, sigma, observed=observed, dims="month")
    return built


def build_exact_model(model: ModelConfig, target: Target) -> "pymc.Model":
    """The exact covariance, coefficients integrated out: what the fast path must equal. For tests, cubic in months."""
    import pymc as pm
    import pytensor.tensor as pt

    kept = np.flatnonzero(target.observed)
    labels = column_labels(model)
    kernel = {"matern32": pm.gp.cov.Matern32, "matern12": pm.gp.cov.Matern12}[model.kernel]
    with pm.Model(coords={"column": labels}) as built:
        time = pm.Data("time", kept.astype(float)[:, None])
        columns = pm.Data("columns", target.z[kept, 1:])
        observed = pm.Data("y", target.z[kept, 0])
        sigma, amplitude, lengthscale = _hyperpriors(model)
        trend = amplitude**2 * kernel(1, ls=lengthscale)(time)
        linear = columns * target.prior_sd
        covariance = trend + linear @ linear.T + sigma**2 * pt.eye(time.shape[0])
        pm.MvNormal("temperature", mu=pt.zeros_like(observed), cov=covariance, observed=observed)
    return built


def example_model(model: ModelConfig) -> "pymc.Model":
    """The model on ten empty years, for its picture."""
    length = 120
    m, c = basis_size(model, length)
    basis, frequency = hilbert_basis(np.arange(length), length, m, c)
    return build_model(model, ModelData(np.zeros(length), design(model, 0, length, 0, length), basis, frequency))
