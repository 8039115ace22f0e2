"""The trend at every training month, given theta and all the data: a fixed-interval smoother."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .kernels import transition
from .likelihood import Conditional, Target

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def smooth_columns(z, observed, a, q):
    """E[f | column] for each column of z (n, k), and var[f]; one theta, units of eta^2.

    de Jong (1989): f_t = a_t + P_t r_{t-1} with r_{t-1} = H' v_t / s_t + L_t' r_t, var = P_t - P_t N_{t-1} P_t.
    """
    n, k = z.shape
    a0, a1, v = np.zeros((n, k)), np.zeros((n, k)), np.zeros((n, k))
    p = np.empty((n, 3))
    p00, p01, p11 = 1.0, 0.0, 1.0
    m0, m1 = np.zeros(k), np.zeros(k)
    for t in range(n):
        p[t, 0], p[t, 1], p[t, 2] = p00, p01, p11
        k0, k1 = 0.0, 0.0
        if observed[t]:
            s = p00 + q
            k0, k1 = p00 / s, p01 / s
        for j in range(k):
            a0[t, j], a1[t, j] = m0[j], m1[j]
            v[t, j] = z[t, j] - m0[j]
            x0, x1 = m0[j] + k0 * v[t, j], m1[j] + k1 * v[t, j]
            m0[j], m1[j] = a[0] * x0 + a[1] * x1, a[2] * x0 + a[3] * x1
        d00, d01, d11 = p00 - k0 * p00 - 1.0, p01 - k0 * p01, p11 - k1 * p01 - 1.0
        b00, b01 = a[0] * d00 + a[1] * d01, a[0] * d01 + a[1] * d11
        b10, b11 = a[2] * d00 + a[3] * d01, a[2] * d01 + a[3] * d11
        p00, p01 = 1.0 + b00 * a[0] + b01 * a[1], b00 * a[2] + b01 * a[3]
        p11 = 1.0 + b10 * a[2] + b11 * a[3]
    mean, variance = np.empty((n, k)), np.empty(n)
    r0, r1 = np.zeros(k), np.zeros(k)
    n00, n01, n11 = 0.0, 0.0, 0.0
    for t in range(n - 1, -1, -1):
        p00, p01, p11 = p[t, 0], p[t, 1], p[t, 2]
        s, k0, k1 = 1.0, 0.0, 0.0
        if observed[t]:
            s = p00 + q
            k0, k1 = p00 / s, p01 / s
        # L = A - A K H, so L' r = A' r less the gain's share in the first entry
        for j in range(k):
            x0, x1 = a[0] * r0[j] + a[2] * r1[j], a[1] * r0[j] + a[3] * r1[j]
            x0 -= k0 * x0 + k1 * x1
            if observed[t]:
                x0 += v[t, j] / s
            r0[j], r1[j] = x0, x1
            mean[t, j] = a0[t, j] + p00 * x0 + p01 * x1
        b00, b01 = a[0] * n00 + a[2] * n01, a[0] * n01 + a[2] * n11
        b10, b11 = a[1] * n00 + a[3] * n01, a[1] * n01 + a[3] * n11
        c00, c01, c11 = b00 * a[0] + b01 * a[2], b00 * a[1] + b01 * a[3], b10 * a[1] + b11 * a[3]
        e0, e1 = 1.0 - k0, -k1  # first column of I - K H; the second is (0, 1)
        n00 = e0 * (c00 * e0 + c01 * e1) + e1 * (c01 * e0 + c11 * e1)
        n01 = e0 * c01 + e1 * c11
        n11 = c11
        if observed[t]:
            n00 += 1.0 / s
        variance[t] = p00 - (p00 * (n00 * p00 + n01 * p01) + p01 * (n01 * p00 + n11 * p01))
    return mean, variance


@dataclass(frozen=True, eq=False)
class Smoothed:
    """Given each theta, mean and sd over the training months, standardised; all (S, n)."""

    y_mean: Floats
    y_sd: Floats
    trend_mean: Floats
    trend_sd: Floats
    seasonality_mean: Floats
    seasonality_sd: Floats


def smooth(target: Target, given: Conditional) -> Smoothed:
    """Trend = intercept + slope tau + f, seasonality = the Fourier part, y = both and new noise."""
    x = target.z[:, 1:]
    level = np.zeros_like(x)
    level[:, :2] = x[:, :2]
    # The Fourier part repeats itself.
    year = (x - level)[: target.model.period]
    season = np.arange(target.length) % len(year)
    transitions = transition(target.model.kernel, np.exp(given.u[:, 2]))
    out = np.empty((6, len(given.u), target.length))
    for i, u in enumerate(given.u):
        f, variance = smooth_columns(target.z, target.observed, transitions[i], np.exp(2 * (u[0] - u[1])))
        variance = np.maximum(variance, 0) * np.exp(2 * u[1])
        c, root = given.mean[i], given.root[i]
        for j, columns in enumerate((x - f[:, 1:], level - f[:, 1:])):
            out[2 * j, i] = columns @ c + f[:, 0]
            out[2 * j + 1, i] = _squared_length(columns @ root.T) + variance
        out[4, i], out[5, i] = (year @ c)[season], _squared_length(year @ root.T)[season]
        out[1, i] += np.exp(2 * u[0])
    out[1::2] = np.sqrt(out[1::2])
    return Smoothed(*out)


def _squared_length(rows: Floats) -> Floats:
    return np.einsum("np,np->n", rows, rows)
