"""A prior for one slope from the slopes of others: Normal(m, s^2), m and s learnt with their uncertainty.

Donor i says b_i with variance v_i, and b_i ~ Normal(m, s^2 + v_i). With a flat prior on m and on s (Gelman 2006, "Prior
distributions for variance parameters in hierarchical models"), s on a grid:

    p(s | b) ~ sqrt(V(s)) prod_i Normal(b_i; m(s), s^2 + v_i),   V(s) = 1 / sum 1 / (s^2 + v_i),  m(s) its weighted mean
    prior of another slope: mean E[m(s)], variance E[s^2 + V(s)] + Var[m(s)]

A short history has a large v_i and counts for little, so that no length is needed from which on a slope counts. The
most probable s alone (expectation-maximisation) falls to next to nothing where a dozen slopes agree within their
errors: 0.01 degC a decade among the real stations in 2005, a certainty that nobody has.
"""

import numpy as np
from numpy.typing import NDArray

NODES, REACH, LEAST_SD = 200, 3.0, 1e-3


def slope_prior(slopes: NDArray[np.float64]) -> tuple[float, float]:
    """(mean, sd) of the prior, from `slopes` (N, 2), rows (b_i, v_i), in units a decade; N > 2.

    slope_prior(np.array([[0.2, 0.01], [0.3, 0.04], [0.1, 0.02]]))
    """
    own, variance = slopes[np.lexsort(slopes.T)].T  # sums that do not depend on the order of the donors
    top = REACH * max(float(own.std()), float(variance.min()) ** 0.5)
    s2 = (np.arange(1, NODES + 1) * (top / NODES)) ** 2
    total = s2[:, None] + variance
    of_mean = 1 / (1 / total).sum(axis=1)
    mean = of_mean * (own / total).sum(axis=1)
    log_density = 0.5 * np.log(of_mean) - 0.5 * (np.log(total) + (own - mean[:, None]) ** 2 / total).sum(axis=1)
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    centre = float(weight @ mean)
    spread = float(weight @ (s2 + of_mean + (mean - centre) ** 2))
    return centre, max(spread, LEAST_SD**2) ** 0.5
