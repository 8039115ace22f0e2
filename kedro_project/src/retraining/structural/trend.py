"""The linear trend's time axis, and the design matrix it shares with the seasonality."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelConfig
from .seasonality import fourier_columns, fourier_labels


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


def prior_sds(model: ModelConfig) -> NDArray[np.float64]:
    """Prior standard deviations D of the coefficients, in the order of the design's columns."""
    seasonal = len(fourier_labels(model.period, model.harmonics))
    return np.array([model.intercept_scale, model.slope_scale] + [model.coefficient_scale] * seasonal)
