"""Priors of theta = (sigma, eta, l), as densities of u = log theta."""

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig

Floats = NDArray[np.float64]

HYPERPARAMETERS = ("sigma", "amplitude", "lengthscale")
LOG_HALF_NORMAL = 0.5 * np.log(2 / np.pi)
LOG_NORMAL = -0.5 * np.log(2 * np.pi)


def log_prior(model: ModelConfig, u: Floats) -> Floats:
    """sigma, eta ~ HalfNormal, l ~ LogNormal, with the Jacobian of the logarithm; u (S, 3) -> (S,).

    With a fleet's shape prior: Normal in (log sigma - log eta, log l), flat in log eta.
    """
    if model.shape_prior is not None:
        m0, s0, m1, slope, s1 = model.shape_prior.conditional
        ratio = u[:, 0] - u[:, 1] - m0
        rest = u[:, 2] - m1 - slope * ratio
        return (2 * LOG_NORMAL - np.log(s0 * s1)) - 0.5 * ((ratio / s0) ** 2 + (rest / s1) ** 2)
    noise, amplitude = np.exp(u[:, 0]) / model.noise_scale, np.exp(u[:, 1]) / model.amplitude_scale
    z = (u[:, 2] - np.log(model.lengthscale_median)) / model.lengthscale_sd
    return (
        (2 * LOG_HALF_NORMAL - np.log(model.noise_scale) - np.log(model.amplitude_scale))
        + (LOG_NORMAL - np.log(model.lengthscale_sd))
        + (u[:, 0] + u[:, 1])
        - 0.5 * (noise**2 + amplitude**2 + z**2)
    )


def log_prior_gradient(model: ModelConfig, u: Floats) -> Floats:
    """Derivative of `log_prior` at one u (3,)."""
    if model.shape_prior is not None:
        m0, s0, m1, slope, s1 = model.shape_prior.conditional
        ratio = u[0] - u[1] - m0
        by_rest = -(u[2] - m1 - slope * ratio) / s1**2
        by_ratio = -ratio / s0**2 - slope * by_rest
        return np.array([by_ratio, -by_ratio, by_rest])
    z = (u[2] - np.log(model.lengthscale_median)) / model.lengthscale_sd
    noise, amplitude = np.exp(u[0]) / model.noise_scale, np.exp(u[1]) / model.amplitude_scale
    return np.array([1 - noise**2, 1 - amplitude**2, -z / model.lengthscale_sd])
