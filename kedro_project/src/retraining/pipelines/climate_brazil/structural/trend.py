"""The linear trend's time axis, and the design matrix it shares with the seasonality."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig
from .seasonality import fourier_columns, fourier_labels

MONTHS_A_DECADE = 120


def tau(position: NDArray[Any], length: int) -> NDArray[np.float64]:
    """Months since the first, centred and scaled: -1 at the first training month, +1 at the last."""
    half = (length - 1) / 2
    return (position - half) / half


def design(model: ModelConfig, calendar0: int, length: int, start: int, stop: int) -> NDArray[np.float64]:
    """Columns (1, tau, Fourier) for positions start..stop-1; position 0 is the first training month."""
    position = np.arange(start, stop)
    seasonal = fourier_columns(calendar0 + position, model.period, model.harmonics)
    return np.column_stack([np.ones(len(position)), tau(position, length), seasonal])


def column_labels(model: ModelConfig) -> list[str]:
    """Names of the design's columns."""
    return ["intercept", "slope", *fourier_labels(model.period, model.harmonics)]


def coefficient_prior(model: ModelConfig, length: int, y_sd: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Prior means and standard deviations D of the coefficients, standardised, in the order of the design's columns.

    Only a pooled slope depends on the data: tau runs over (length - 1) / 2 months a unit, y over y_sd degC.
    """
    seasonal = len(fourier_labels(model.period, model.harmonics))
    sd = np.array([model.intercept_scale, model.slope_scale] + [model.coefficient_scale] * seasonal)
    mean = np.zeros_like(sd)
    if model.pooled_slope_mean is not None and model.pooled_slope_sd is not None:
        unit = (length - 1) / 2 / (MONTHS_A_DECADE * y_sd)
        mean[1], sd[1] = unit * model.pooled_slope_mean, unit * model.pooled_slope_sd
    return mean, sd
