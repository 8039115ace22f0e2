"""The model, written once in PyMC: this is the definition, the fast path is a way to compute it.

    y(t) = intercept + slope tau(t) + f(t) + Fourier(t) + Normal(0, sigma^2),   f ~ GP(0, eta^2 Matern(l))

Everything on the standardised scale (of the logarithm, where `transform` is log), time in steps of the series, missing
months absent. What a fleet has given are numbers of the priors: its slope, its seasonal amplitudes, its shape. For
sampling, f is its Hilbert-space approximation (Riutort-Mayol et al. 2022, Solin & Saerkkae 2020):
f = sum_j phi_j(t) sqrt(S(omega_j)) w_j.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig
from .likelihood import Target
from .marginal import find_mode, laplace
from .trend import coefficient_prior, column_labels, design

if TYPE_CHECKING:
    import pymc

Floats = NDArray[np.float64]

AHEAD = 12  # months after the last that the approximation's domain must still cover
BASIS_STEP = 64  # sizes are rounded up to this, so that series of similar length share one compiled model


@dataclass(frozen=True, eq=False)
class ModelData:
    """What `pm.Data` holds for one series: observed months only. position (months,) counts from the first month."""

    y: Floats
    columns: Floats
    position: Floats
    basis: Floats
    frequency: Floats
    slope_prior: Floats  # mean and sd
    seasonal_sd: Floats  # of each Fourier coefficient
    shape_prior: Floats | None  # of a fleet: (m0, s0, m1, slope, s1), see ShapePrior

    def given(self) -> dict[str, Floats]:
        """Numbers that another series' or the fleet's fits have given: data, so that one compiled model serves all."""
        shape = {} if self.shape_prior is None else {"shape_prior": self.shape_prior}
        return {"slope_prior": self.slope_prior, "seasonal_sd": self.seasonal_sd, **shape}

    def hilbert(self) -> dict[str, Floats]:
        """Data of the sampling form."""
        return {
            "y": self.y,
            "columns": self.columns,
            "phi": self.basis,
            "omega": self.frequency,
            **self.given(),
        }

    def exact(self) -> dict[str, Floats]:
        """Data of the exact form."""
        return {"y": self.y, "columns": self.columns, "position": self.position, **self.given()}


def basis_size(kernel: str, length: int, shortest: float, longest: float) -> tuple[int, float]:
    """m and c of the approximation, from the published rule, for this span and these lengthscales (months)."""
    from pymc.gp.hsgp_approx import approx_hsgp_hyperparams

    half = half_span(length)
    m, c = approx_hsgp_hyperparams(x_range=[-half, half], lengthscale_range=[shortest, longest], cov_func="matern32")
    nyquist = int(np.ceil(2 * c * half))  # months cannot tell faster waves from slower ones
    m = nyquist if kernel == "matern12" else min(m, nyquist)  # the rule knows no kernel as rough as matern12
    return int(-(-m // BASIS_STEP) * BASIS_STEP), float(c)


def plausible_lengthscales(target: Target) -> tuple[float, float]:
    """The lengthscales this series supports, by Laplace's approximation; the prior's own range is not enough.

    On monthly temperatures the posterior is often far below the prior (3 months against a median of 24): with
    the 128 functions the prior asks for, sigma moved by more than a posterior sd and forecasts by several tenths
    of a predictive sd.
    """
    mode = find_mode(target)
    sd = float(np.sqrt((laplace(target, mode).scale ** 2).sum(axis=1)[2]))
    return float(np.exp(mode[2] - 0.5 * sd)), float(np.exp(mode[2] + 1.96 * sd))


def half_span(length: int) -> float:
    """Half the months of the training span, and AHEAD more on each side."""
    return (length - 1) / 2 + AHEAD


def hilbert_basis(position: NDArray[Any], length: int, m: int, c: float) -> tuple[Floats, Floats]:
    """phi_j(t) = sin(omega_j (t + L)) / sqrt(L), omega_j = j pi / (2 L), L = c half-span; t centred, months."""
    boundary = c * half_span(length)
    frequency = np.arange(1, m + 1) * np.pi / (2 * boundary)
    t = np.asarray(position, dtype=np.float64) - (length - 1) / 2
    phi: Floats = np.sin((t[:, None] + boundary) * frequency) / np.sqrt(boundary)
    return phi, np.asarray(frequency, dtype=np.float64)


def model_data(target: Target, m: int, c: float) -> ModelData:
    """Both forms' data for one series."""
    kept = np.flatnonzero(target.observed)
    basis, frequency = hilbert_basis(kept, target.length, m, c)
    y, columns = target.z[kept, 0].copy(), target.z[kept, 1:].copy()
    slope_prior = np.array([target.prior_mean[1], target.prior_sd[1]])
    given = slope_prior, target.prior_sd[2:], _shape(target.model)
    return ModelData(y, columns, kept.astype(float), basis, frequency, *given)


def _shape(model: ModelConfig) -> Floats | None:
    return None if model.shape_prior is None else np.array(model.shape_prior.conditional)


def example_data(model: ModelConfig, m: int = 64) -> ModelData:
    """Ten empty years, for the model's picture and as a placeholder when compiling."""
    length = 120
    basis, frequency = hilbert_basis(np.arange(length), length, m, 1.2)
    columns, slope_prior = design(model, 0, length, 0, length), np.array([0.0, model.slope_scale])
    given = slope_prior, coefficient_prior(model, length, 1.0)[1][2:], _shape(model)
    return ModelData(np.zeros(length), columns, np.arange(float(length)), basis, frequency, *given)


def _hyperpriors(model: ModelConfig, data: ModelData) -> tuple[Any, Any, Any]:
    """sigma, amplitude, lengthscale; with a fleet's prior Normal in log ratio and log length, flat in log amplitude."""
    import pymc as pm

    if data.shape_prior is not None:
        shape = pm.Data("shape_prior", data.shape_prior)
        ratio = pm.Normal("log_ratio", shape[0], shape[1])
        log_lengthscale = pm.Normal("log_lengthscale", shape[2] + shape[3] * (ratio - shape[0]), shape[4])
        log_amplitude = pm.Flat("log_amplitude")
        return (
            pm.Deterministic("sigma", pm.math.exp(ratio + log_amplitude)),
            pm.Deterministic("amplitude", pm.math.exp(log_amplitude)),
            pm.Deterministic("lengthscale", pm.math.exp(log_lengthscale)),
        )
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
        sigma, amplitude, lengthscale = _hyperpriors(model, data)
        intercept = pm.Normal("intercept", 0, model.intercept_scale)
        slope_prior = pm.Data("slope_prior", data.slope_prior)
        slope = pm.Normal("slope", slope_prior[0], slope_prior[1])
        fourier = pm.Normal("fourier", 0, pm.Data("seasonal_sd", data.seasonal_sd, dims="harmonic"), dims="harmonic")
        weight = pm.Normal("basis_weight", dims="basis")
        spectrum = amplitude * pt.sqrt(spectral_density(model, frequency, lengthscale))
        trend = intercept + slope * columns[:, 1] + basis @ (spectrum * weight)
        seasonality = columns[:, 2:] @ fourier
        pm.Normal("temperature", trend + seasonality, sigma, observed=observed, dims="month")
    return built


def build_exact_model(model: ModelConfig, data: ModelData) -> "pymc.Model":
    """The exact covariance, coefficients integrated out: what the fast path must equal. Cubic in months."""
    import pymc as pm
    import pytensor.tensor as pt

    kernel = {"matern32": pm.gp.cov.Matern32, "matern12": pm.gp.cov.Matern12}[model.kernel]
    with pm.Model(coords={"column": column_labels(model), "month": range(data.y.size)}) as built:
        position = pm.Data("position", data.position, dims="month")
        columns = pm.Data("columns", data.columns, dims=("month", "column"))
        observed = pm.Data("y", data.y, dims="month")
        sigma, amplitude, lengthscale = _hyperpriors(model, data)
        slope_prior = pm.Data("slope_prior", data.slope_prior)
        seasonal_sd = pm.Data("seasonal_sd", data.seasonal_sd)
        linear = columns * pt.concatenate([[model.intercept_scale, slope_prior[1]], seasonal_sd])
        distance = pt.abs(position[:, None] - position)  # exact zeros: the kernel's own call adds 1e-6 to each
        trend = amplitude**2 * kernel(1, ls=1.0).full_from_distance(distance / lengthscale)
        covariance = trend + linear @ linear.T + sigma**2 * pt.eye(position.shape[0])
        pm.MvNormal("temperature", mu=slope_prior[0] * columns[:, 1], cov=covariance, observed=observed, dims="month")
    return built
