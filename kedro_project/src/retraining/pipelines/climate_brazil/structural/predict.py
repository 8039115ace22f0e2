"""Months ahead, given theta: Gaussian in closed form from the filter's last state."""

import numpy as np
from numpy.typing import NDArray

from .forecast import systematic
from .kernels import transition
from .likelihood import Conditional, Target

Floats = NDArray[np.float64]


def observation_rows(target: Target, u: Floats, n_ahead: int) -> Floats:
    """First row of A^h, h = 0..n_ahead-1, for each theta: how the predicted state is seen h months later (H, S, 2)."""
    a = transition(target.model.kernel, np.exp(u[:, 2]))
    rows = np.empty((n_ahead, len(u), 2))
    row0, row1 = np.ones(len(u)), np.zeros(len(u))
    for h in range(n_ahead):
        rows[h, :, 0], rows[h, :, 1] = row0, row1
        row0, row1 = row0 * a[:, 0] + row1 * a[:, 2], row0 * a[:, 1] + row1 * a[:, 3]
    return rows


def predict(target: Target, given: Conditional, n_ahead: int) -> tuple[Floats, Floats]:
    """Mean and sd of y, standardised, for each theta and month; (S, H) each.

    With g = x - H A^h S_X, where S_X is how the predicted state depends on the coefficients:
    mean = g^T E[c] + H A^h S_y, variance = |root g|^2 + eta^2 (1 - r (I - P) r^T) + sigma^2, r = H A^h.
    """
    x = target.design(target.length, target.length + n_ahead)
    rows = observation_rows(target, given.u, n_ahead)
    seen = np.einsum("hsi,sik->shk", rows, given.state)
    g = x[None] - seen[:, :, 1:]
    mean = np.einsum("shp,sp->sh", g, given.mean) + seen[:, :, 0]
    spread = (np.matmul(g, given.root.transpose(0, 2, 1)) ** 2).sum(axis=-1)
    return mean, np.sqrt(spread + trend_variance(given, rows) + np.exp(2 * given.u[:, :1]))


def trend_variance(given: Conditional, rows: Floats) -> Floats:
    """Variance of f given the coefficients, (S, H): stationary, less what the last state still knows."""
    r0, r1 = rows[:, :, 0].T, rows[:, :, 1].T
    p00, p01, p11 = (given.cov[:, i, None] for i in range(3))
    unit = 1 + r0 * r0 * (p00 - 1) + 2 * r0 * r1 * p01 + r1 * r1 * (p11 - 1)
    return np.exp(2 * given.u[:, 1:2]) * unit


def components_ahead(target: Target, given: Conditional, n_ahead: int) -> list[Floats]:
    """Trend mean and sd, seasonality mean and sd, standardised, (S, H) each."""
    x = target.design(target.length, target.length + n_ahead)
    level = np.zeros_like(x)
    level[:, :2] = x[:, :2]
    rows = observation_rows(target, given.u, n_ahead)
    seen = np.einsum("hsi,sik->shk", rows, given.state)
    out: list[Floats] = []
    for columns, f, variance in (
        (level - seen[:, :, 1:], seen[:, :, 0], trend_variance(given, rows)),
        (np.broadcast_to(x - level, (len(given.u), *x.shape)), 0.0, 0.0),
    ):
        out.append(np.einsum("shp,sp->sh", columns, given.mean) + f)
        out.append(np.sqrt((np.einsum("shp,sqp->shq", columns, given.root) ** 2).sum(axis=-1) + variance))
    return out


def draw_coefficients(given: Conditional, component: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Exact draws from p(c | theta, y), one for each entry of `component`; (n, p)."""
    noise = rng.standard_normal((component.size, given.mean.shape[1]))
    return given.mean[component] + np.einsum("nij,ni->nj", given.root[component], noise)


def draw_paths(target: Target, given: Conditional, weights: Floats, n_ahead: int, n: int, seed: int) -> Floats:
    """n joint paths of y, standardised (n, H): theta, then coefficients and state, then one month after another."""
    rng = np.random.default_rng(seed)
    component = systematic(weights, n, rng)
    c = draw_coefficients(given, component, rng)
    u, state, cov = given.u[component], given.state[component], given.cov[component]
    sigma, eta = np.exp(u[:, 0]), np.exp(u[:, 1])
    a = transition(target.model.kernel, np.exp(u[:, 2]))
    noise = (
        1 - a[:, 0] ** 2 - a[:, 1] ** 2,
        -a[:, 0] * a[:, 2] - a[:, 1] * a[:, 3],
        1 - a[:, 2] ** 2 - a[:, 3] ** 2,
    )
    centre = state[:, :, 0] - np.einsum("nik,nk->ni", state[:, :, 1:], c)
    f = centre + eta[:, None] * _bivariate(cov[:, 0], cov[:, 1], cov[:, 2], rng)
    level = c @ target.design(target.length, target.length + n_ahead).T
    paths = np.empty((n, n_ahead))
    for h in range(n_ahead):
        paths[:, h] = level[:, h] + f[:, 0] + sigma * rng.standard_normal(n)
        moved = np.stack([a[:, 0] * f[:, 0] + a[:, 1] * f[:, 1], a[:, 2] * f[:, 0] + a[:, 3] * f[:, 1]], axis=1)
        f = moved + eta[:, None] * _bivariate(*noise, rng)
    return paths


def _bivariate(v00: Floats, v01: Floats, v11: Floats, rng: np.random.Generator) -> Floats:
    """Normal draws (n, 2) with covariance [[v00, v01], [v01, v11]], which may be singular."""
    z = rng.standard_normal((v00.size, 2))
    l00 = np.sqrt(np.maximum(v00, 0))
    l10 = np.divide(v01, l00, out=np.zeros_like(v01), where=l00 > 0)
    return np.stack([l00 * z[:, 0], l10 * z[:, 0] + np.sqrt(np.maximum(v11 - l10**2, 0)) * z[:, 1]], axis=1)
