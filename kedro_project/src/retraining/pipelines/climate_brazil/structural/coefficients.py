"""Coefficients of the linear part, integrated out for each theta by one small Cholesky factorisation."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy")
def integrate_out(gram, amplitude, prior_sd):
    """Rasmussen & Williams (2006), section 2.7, with X of full column rank or not.

    With G = [y X]^T K^-1 [y X] = gram / eta^2, b = D X^T K^-1 y and A = I + D X^T K^-1 X D = L L^T:

        quadratic = y^T K^-1 y - b^T A^-1 b,  log|A|,  mean = D A^-1 b,  covariance = root^T root, root = L^-1 D

    gram (S, 1 + p, 1 + p), amplitude eta (S,), prior_sd (p,); returns quadratic (S,), logdet (S,), mean (S, p),
    root (S, p, p).
    """
    size, p = gram.shape[0], gram.shape[1] - 1
    quadratic, logdet = np.empty(size), np.empty(size)
    mean, root = np.zeros((size, p)), np.zeros((size, p, p))
    factor, u = np.zeros((p, p)), np.zeros(p)
    for s in range(size):
        scale = 1.0 / (amplitude[s] * amplitude[s])
        log_a, explained = 0.0, 0.0
        for i in range(p):
            for j in range(i + 1):
                total = gram[s, 1 + i, 1 + j] * scale * prior_sd[i] * prior_sd[j]
                if i == j:
                    total += 1.0
                for c in range(j):
                    total -= factor[i, c] * factor[j, c]
                if i == j:
                    factor[i, i] = np.sqrt(total)
                else:
                    factor[i, j] = total / factor[j, j]
            log_a += np.log(factor[i, i])
            total = gram[s, 1 + i, 0] * scale * prior_sd[i]
            for c in range(i):
                total -= factor[i, c] * u[c]
            u[i] = total / factor[i, i]
            explained += u[i] * u[i]
            for j in range(i + 1):  # row i of L^-1 D by forward substitution
                total = prior_sd[i] if i == j else 0.0
                for c in range(j, i):
                    total -= factor[i, c] * root[s, c, j]
                root[s, i, j] = total / factor[i, i]
        for j in range(p):  # D L^-T u = root^T u
            total = 0.0
            for i in range(j, p):
                total += root[s, i, j] * u[i]
            mean[s, j] = total
        quadratic[s] = gram[s, 0, 0] * scale - explained
        logdet[s] = 2.0 * log_a
    return quadratic, logdet, mean, root


def shift_gram(gram: NDArray[np.float64], prior_mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gram matrices of [y - X m, X] from those of [y, X]: coefficients with prior mean m, less m, have mean zero."""
    shifted = gram.copy()
    for i in np.flatnonzero(prior_mean):
        shifted[:, :, 0] -= prior_mean[i] * shifted[:, :, 1 + i]
        shifted[:, 0, :] -= prior_mean[i] * shifted[:, 1 + i, :]
    return shifted
