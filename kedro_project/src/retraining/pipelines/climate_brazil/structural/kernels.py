"""Matern kernels of half-integer order as covariance functions and as Markov processes.

Hartikainen & Saerkkae (2010), "Kalman filtering and smoothing solutions to temporal Gaussian process
regression models". The second state is f'/lambda, so that both states have the stationary variance eta^2: the
stationary covariance is eta^2 I and the step noise eta^2 (I - A A^T), whatever the lengthscale.
"""

import numpy as np
from numpy.typing import NDArray

from .config import Kernel

Floats = NDArray[np.float64]


def covariance(kernel: Kernel, distance: Floats, amplitude: float, lengthscale: float) -> Floats:
    """k(d) = eta^2 (1 + sqrt(3) d / l) exp(-sqrt(3) d / l), or eta^2 exp(-d / l) for matern12; d in months."""
    if kernel == "matern12":
        return amplitude**2 * np.exp(-distance / lengthscale)
    scaled = np.sqrt(3.0) * distance / lengthscale
    return amplitude**2 * (1 + scaled) * np.exp(-scaled)


def transition(kernel: Kernel, lengthscale: Floats) -> Floats:
    """One-month transition A for each lengthscale; rows (A00, A01, A10, A11), shape (S, 4).

    matern32: exp(-lambda) [[1 + lambda, lambda], [-lambda, 1 - lambda]], lambda = sqrt(3) / l.
    matern12: [[exp(-1/l), 0], [0, 0]]; the unused second state is white noise that nothing observes.
    """
    if kernel == "matern12":
        decay, zero = np.exp(-1.0 / lengthscale), np.zeros_like(lengthscale)
        return np.stack([decay, zero, zero, zero], axis=-1)
    rate = np.sqrt(3.0) / lengthscale
    decay = np.exp(-rate)
    return np.stack([decay * (1 + rate), decay * rate, -decay * rate, decay * (1 - rate)], axis=-1)


def transition_gradient(kernel: Kernel, lengthscale: float) -> Floats:
    """dA / d log l, shape (4,)."""
    if kernel == "matern12":
        return np.array([np.exp(-1.0 / lengthscale) / lengthscale, 0.0, 0.0, 0.0])
    rate = np.sqrt(3.0) / lengthscale
    decay = np.exp(-rate)
    d_rate = decay * np.array([-rate, 1 - rate, -(1 - rate), -(2 - rate)])
    return -rate * d_rate
