"""One Kalman pass over the months gives log|K| and [y X]^T K^-1 [y X] exactly, in linear time.

Everything is in units of eta^2: K = eta^2 (R + q I), q = sigma^2 / eta^2, so a pass depends on (q, l) alone.
With innovations v_t (one for each column of Z = [y X]) of common variance s_t (Durbin & Koopman 2012, ch. 4 and 6):

    log|R + q I| = sum_t log s_t          Z^T (R + q I)^-1 Z = sum_t v_t v_t^T / s_t

Missing months only predict. Many theta run side by side in SIMD lanes, and innovations are collected for four months
before they enter the Gram matrix (memory traffic, not arithmetic, is what costs). No sum crosses lanes, so the order
of floating-point operations, and with it every bit, does not depend on how theta are grouped.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WIDE, NARROW = 32, 4  # theta side by side in a batch, and for one theta alone
LOG_EVERY = 8  # products of s are turned into logs before they can overflow


@njit(cache=True, nogil=True, error_model="numpy")
def _filter_lanes(z, observed, transition, noise, lanes, gram, logdet, state, cov):
    n, k = z.shape
    m0, m1, w = np.empty((k, lanes)), np.empty((k, lanes)), np.zeros((4, k, lanes))
    g = np.empty((k, k, lanes))
    a00, a01, a10, a11 = np.empty(lanes), np.empty(lanes), np.empty(lanes), np.empty(lanes)
    q, k0, k1, root = np.empty(lanes), np.empty(lanes), np.empty(lanes), np.empty(lanes)
    p00, p01, p11 = np.empty(lanes), np.empty(lanes), np.empty(lanes)
    product, total = np.empty(lanes), np.empty(lanes)
    for block in range(noise.size // lanes):
        first = block * lanes
        for i in range(lanes):
            a00[i], a01[i] = transition[first + i, 0], transition[first + i, 1]
            a10[i], a11[i] = transition[first + i, 2], transition[first + i, 3]
            q[i] = noise[first + i]
        p00[:], p01[:], p11[:] = 1.0, 0.0, 1.0
        product[:], total[:] = 1.0, 0.0
        m0[:], m1[:], g[:] = 0.0, 0.0, 0.0
        w[:] = 0.0
        seen = 0
        for t in range(n):
            if observed[t]:
                for i in range(lanes):
                    s = p00[i] + q[i]
                    product[i] *= s
                    root[i] = 1.0 / np.sqrt(s)
                    k0[i] = p00[i] / s
                    k1[i] = p01[i] / s
                    p11[i] -= k1[i] * p01[i]
                    p01[i] -= k0[i] * p01[i]
                    p00[i] -= k0[i] * p00[i]
                slot = seen % 4
                seen += 1
                if seen % LOG_EVERY == 0:
                    for i in range(lanes):
                        total[i] += np.log(product[i])
                        product[i] = 1.0
                for j in range(k):
                    value = z[t, j]
                    for i in range(lanes):
                        v = value - m0[j, i]
                        w[slot, j, i] = v * root[i]
                        x0 = m0[j, i] + k0[i] * v
                        x1 = m1[j, i] + k1[i] * v
                        m0[j, i] = a00[i] * x0 + a01[i] * x1
                        m1[j, i] = a10[i] * x0 + a11[i] * x1
                if slot == 3:
                    for j in range(k):
                        for c in range(j + 1):
                            for i in range(lanes):
                                g[j, c, i] += (w[0, j, i] * w[0, c, i] + w[1, j, i] * w[1, c, i]) + (
                                    w[2, j, i] * w[2, c, i] + w[3, j, i] * w[3, c, i]
                                )
            else:
                for j in range(k):
                    for i in range(lanes):
                        x0, x1 = m0[j, i], m1[j, i]
                        m0[j, i] = a00[i] * x0 + a01[i] * x1
                        m1[j, i] = a10[i] * x0 + a11[i] * x1
            for i in range(lanes):
                d00, d01, d11 = p00[i] - 1.0, p01[i], p11[i] - 1.0
                b00, b01 = a00[i] * d00 + a01[i] * d01, a00[i] * d01 + a01[i] * d11
                b10, b11 = a10[i] * d00 + a11[i] * d01, a10[i] * d01 + a11[i] * d11
                p00[i] = 1.0 + b00 * a00[i] + b01 * a01[i]
                p01[i] = b00 * a10[i] + b01 * a11[i]
                p11[i] = 1.0 + b10 * a10[i] + b11 * a11[i]
        for slot in range(seen % 4):
            for j in range(k):
                for c in range(j + 1):
                    for i in range(lanes):
                        g[j, c, i] += w[slot, j, i] * w[slot, c, i]
        for i in range(lanes):
            logdet[first + i] = total[i] + np.log(product[i])
            cov[first + i, 0], cov[first + i, 1], cov[first + i, 2] = p00[i], p01[i], p11[i]
            for j in range(k):
                state[first + i, 0, j], state[first + i, 1, j] = m0[j, i], m1[j, i]
                for c in range(j + 1):
                    gram[first + i, j, c] = g[j, c, i]
                    gram[first + i, c, j] = g[j, c, i]


def filter_columns(
    z: Floats, observed: NDArray[np.bool_], transition: Floats, noise: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Filter the columns of `z` (n, k) for each theta: transition (S, 4), noise q (S,).

    Returns the Gram matrices (S, k, k), log-determinants (S,), the state of every column predicted for the month
    after the last (S, 2, k), and the covariance (p00, p01, p11) of that prediction (S, 3), all in units of eta^2.
    """
    size, columns = noise.size, z.shape[1]
    lanes = WIDE if size > NARROW else NARROW
    padded = -(-size // lanes) * lanes
    index = np.minimum(np.arange(padded), size - 1)
    gram, logdet = np.empty((padded, columns, columns)), np.empty(padded)
    state, cov = np.empty((padded, 2, columns)), np.empty((padded, 3))
    transition = np.ascontiguousarray(transition[index])
    _filter_lanes(np.ascontiguousarray(z), observed, transition, noise[index], lanes, gram, logdet, state, cov)
    return gram[:size], logdet[:size], state[:size], cov[:size]
