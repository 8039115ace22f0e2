"""Derivatives of the Kalman pass, by forward mode: tangents run through the same recursion as the values."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def quadratic_gradient(z, observed, a, da, q):
    """Sum of z_j^T (R + q I)^-1 z_j over the columns j, log|R + q I|, and both derivatives.

    Tangents with respect to log q (index 0) and log l (index 1) are carried through the same filter (forward mode).
    Returns (quadratic, logdet, d_quadratic (2,), d_logdet (2,)).
    """
    n, k = z.shape
    m0, m1 = np.zeros(k), np.zeros(k)
    d0, d1 = np.zeros((2, k)), np.zeros((2, k))
    p00, p01, p11 = 1.0, 0.0, 1.0
    e00, e01, e11 = np.zeros(2), np.zeros(2), np.zeros(2)
    ds, dk0, dk1 = np.zeros(2), np.zeros(2), np.zeros(2)
    b0, b1 = np.zeros(2), np.zeros(2)
    quadratic, logdet = 0.0, 0.0
    d_quadratic, d_logdet = np.zeros(2), np.zeros(2)
    column, d_column = np.zeros(k), np.zeros((2, k))
    for t in range(n):
        if observed[t]:
            s = p00 + q
            inverse = 1.0 / s
            k0, k1 = p00 * inverse, p01 * inverse
            for r in range(2):
                ds[r] = e00[r] + (q if r == 0 else 0.0)
                dk0[r] = (e00[r] - k0 * ds[r]) * inverse
                dk1[r] = (e01[r] - k1 * ds[r]) * inverse
                d_logdet[r] += ds[r] * inverse
                e11[r] -= dk1[r] * p01 + k1 * e01[r]
                e01[r] -= dk0[r] * p01 + k0 * e01[r]
                e00[r] -= dk0[r] * p00 + k0 * e00[r]
            p11 -= k1 * p01
            p01 -= k0 * p01
            p00 -= k0 * p00
            logdet += np.log(s)
            for j in range(k):
                v = z[t, j] - m0[j]
                scaled = v * inverse
                column[j] += v * scaled
                for r in range(2):
                    dv = -d0[r, j]
                    d_column[r, j] += scaled * (2.0 * dv - scaled * ds[r])
                    d0[r, j] += dk0[r] * v + k0 * dv
                    d1[r, j] += dk1[r] * v + k1 * dv
                m0[j] += k0 * v
                m1[j] += k1 * v
        for j in range(k):
            x0, x1 = m0[j], m1[j]
            y0, y1 = d0[0, j], d1[0, j]
            d0[0, j], d1[0, j] = a[0] * y0 + a[1] * y1, a[2] * y0 + a[3] * y1
            y0, y1 = d0[1, j], d1[1, j]
            d0[1, j] = a[0] * y0 + a[1] * y1 + da[0] * x0 + da[1] * x1
            d1[1, j] = a[2] * y0 + a[3] * y1 + da[2] * x0 + da[3] * x1
            m0[j], m1[j] = a[0] * x0 + a[1] * x1, a[2] * x0 + a[3] * x1
        c00, c01, c11 = p00 - 1.0, p01, p11 - 1.0
        b0[0], b0[1] = a[0] * c00 + a[1] * c01, a[0] * c01 + a[1] * c11  # rows of A (P - I)
        b1[0], b1[1] = a[2] * c00 + a[3] * c01, a[2] * c01 + a[3] * c11
        for r in range(2):
            x00, x01 = a[0] * e00[r] + a[1] * e01[r], a[0] * e01[r] + a[1] * e11[r]
            x10, x11 = a[2] * e00[r] + a[3] * e01[r], a[2] * e01[r] + a[3] * e11[r]
            e00[r] = x00 * a[0] + x01 * a[1]
            e01[r] = x00 * a[2] + x01 * a[3]
            e11[r] = x10 * a[2] + x11 * a[3]
        e00[1] += 2.0 * (b0[0] * da[0] + b0[1] * da[1])
        e01[1] += b0[0] * da[2] + b0[1] * da[3] + da[0] * b1[0] + da[1] * b1[1]
        e11[1] += 2.0 * (b1[0] * da[2] + b1[1] * da[3])
        p00 = 1.0 + b0[0] * a[0] + b0[1] * a[1]
        p01 = b0[0] * a[2] + b0[1] * a[3]
        p11 = 1.0 + b1[0] * a[2] + b1[1] * a[3]
    for j in range(k):
        quadratic += column[j]
        d_quadratic[0] += d_column[0, j]
        d_quadratic[1] += d_column[1, j]
    return quadratic, logdet, d_quadratic, d_logdet
