"""Deterministic seasonality as a truncated Fourier series."""

import numpy as np
from numpy.typing import NDArray


def fourier_labels(period: int, harmonics: int) -> list[str]:
    """Names of the columns: cos1, sin1, cos2, ...; the last sine is absent when 2 * harmonics == period."""
    labels = [f"{name}{k}" for k in range(1, harmonics + 1) for name in ("cos", "sin")]
    return labels[:-1] if 2 * harmonics == period else labels


def fourier_columns(calendar: NDArray[np.int64], period: int, harmonics: int) -> NDArray[np.float64]:
    """cos(2 pi k t / period), sin(2 pi k t / period) for k = 1..harmonics; shape (months, columns).

    `calendar` counts months since 1970-01, so that a column means the same calendar month in every series.
    At k = period/2 the sine is zero at every whole month; an all-zero column would only add an unidentified
    coefficient, so it is left out.
    """
    phase = np.mod(calendar, period)[:, None] * (2 * np.pi / period) * np.arange(1, harmonics + 1)
    columns = np.stack([np.cos(phase), np.sin(phase)], axis=-1).reshape(len(calendar), 2 * harmonics)
    return columns[:, :-1] if 2 * harmonics == period else columns
