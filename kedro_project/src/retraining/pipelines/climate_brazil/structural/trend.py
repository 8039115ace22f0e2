"""The linear trend's time axis, and the design matrix it shares with the seasonality."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig
from .seasonality import fourier_columns, fourier_labels

MONTHS_A_DECADE = 120


def tau(position: NDArray[Any], length: int, damping: float | None = None) -> NDArray[np.float64]:
    """Steps since the first, centred and scaled: -1 at the first training step, +1 at the last.

    With damping phi, h steps after the last count as phi (1 - phi^h) / (1 - phi) (Gardner & McKenzie 1985).
    """
    half = (length - 1) / 2
    if damping is not None:
        ahead = np.maximum(position - (length - 1), 0)
        position = np.minimum(position, length - 1) + damping * (1 - damping**ahead) / (1 - damping)
    return (position - half) / half


def design(model: ModelConfig, calendar0: int, length: int, start: int, stop: int) -> NDArray[np.float64]:
    """Columns (1, tau, Fourier) for positions start..stop-1; position 0 is the first training month."""
    position = np.arange(start, stop)
    seasonal = fourier_columns(calendar0 + position, model.period, model.harmonics)
    return np.column_stack([np.ones(len(position)), tau(position, length, model.damping), seasonal])


def column_labels(model: ModelConfig) -> list[str]:
    """Names of the design's columns."""
    return ["intercept", "slope", *fourier_labels(model.period, model.harmonics)]


def coefficient_prior(
    model: ModelConfig, length: int, y_sd: float, step: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Prior means and standard deviations D of the coefficients, standardised, in the order of the design's columns.

    What a fleet has given is in units: tau runs over (length - 1) / 2 steps (of `step` months) a unit, y over y_sd.
    """
    labels = fourier_labels(model.period, model.harmonics)
    seasonal = [model.coefficient_scale] * len(labels)
    if model.seasonal_sd is not None:
        seasonal = [model.seasonal_sd[int(label[3:]) - 1] / y_sd for label in labels]
    sd = np.array([model.intercept_scale, model.slope_scale, *seasonal])
    mean = np.zeros_like(sd)
    if model.pooled_slope_mean is not None and model.pooled_slope_sd is not None:
        unit = step * (length - 1) / 2 / (MONTHS_A_DECADE * y_sd)
        mean[1], sd[1] = unit * model.pooled_slope_mean, unit * model.pooled_slope_sd
    return mean, sd
