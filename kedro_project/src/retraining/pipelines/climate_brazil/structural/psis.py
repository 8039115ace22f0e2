"""Pareto-smoothed importance weights (Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25(72))."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def fit_generalised_pareto(excess: Floats) -> tuple[float, float]:
    """Shape k and scale of sorted positive excesses: Zhang & Stephens (2009), with the paper's weak prior on k."""
    n = excess.size
    grid = 30 + int(np.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    theta = 1 / excess[-1] + (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3 * quartile)
    shape = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-theta / shape) - shape - 1)
    weight = np.exp(profile - profile.max())
    mean_theta = float((theta * weight).sum() / weight.sum())
    k = float(np.log1p(-mean_theta * excess).mean())
    return (n * k + 10 * 0.5) / (n + 10), -k / mean_theta


def smooth_log_weights(log_ratio: Floats) -> tuple[Floats, float]:
    """Normalised smoothed log weights and k-hat; -inf ratios keep weight zero."""
    size = log_ratio.size
    shifted = log_ratio - log_ratio.max()
    tail = int(min(np.ceil(size / 5), np.ceil(3 * np.sqrt(size))))
    order = np.argsort(shifted, kind="stable")
    cutoff = max(float(shifted[order[-tail - 1]]), float(np.log(np.finfo(float).tiny)))
    index = order[shifted[order] > cutoff]
    k_hat = np.inf
    if index.size >= 5:
        excess = np.exp(shifted[index]) - np.exp(cutoff)
        k_hat, scale = fit_generalised_pareto(excess)
        if np.isfinite(k_hat):
            rank = (np.arange(1, index.size + 1) - 0.5) / index.size
            quantile = scale * np.expm1(-k_hat * np.log1p(-rank)) / k_hat
            shifted = shifted.copy()
            shifted[index] = np.minimum(np.log(quantile + np.exp(cutoff)), 0.0)
    return shifted - np.log(np.exp(shifted).sum()), float(k_hat)
