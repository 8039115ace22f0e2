"""The trapezoid rule on a three-dimensional grid of log theta: for short histories, and where sampling fails.

The grid is laid along the axes of a Gaussian approximation. For analytic densities that vanish at the edge the
trapezoid rule converges exponentially (Trefethen & Weideman 2014): halving the step at least squares the error. So
leaving out every other node, an error e says that the whole grid is good to e^2 or better.
"""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from .likelihood import Conditional, Target
from .marginal import Start, Weighted
from .proposal import Proposal

Floats = NDArray[np.float64]

# Half a million nodes are seconds on a short history, NUTS in their place is minutes.
EXTENT, MAX_NODES = 4.8, 500_000  # approximate sds each way at first
STEPS = (0.8, 0.5, 0.35)
MAX_EDGE, MAX_ERROR, NEGLIGIBLE = 5e-4, 0.01, 1e-5
_MAY_BE_KEPT = float(np.log(NEGLIGIBLE)) - 0.01  # of the log density, below the highest that was found so far
MISPLACED = 0.3  # of the mass at the edge: the approximation lies beside the posterior


def sample_quadrature(target: Target, approximation: Proposal) -> Weighted | None:
    """Grid nodes with their weights, or None where the grid does not resolve the posterior.

    Each side on which the outermost nodes still carry mass is moved out (the noise of a rough trend may be next to
    nothing, which is a long tail of log sigma on one side only).
    """
    for step in STEPS:
        grid = weigh_grid(target, approximation, step)
        if grid is not None:
            return grid
    return None


def weigh_grid(target: Target, approximation: Proposal, step: float, max_edge: float = MAX_EDGE) -> Weighted | None:
    """One grid with `step` approximate sds between nodes, or None where it would be too large or too coarse.

    Sides move out until the outermost nodes carry less than `max_edge` of the mass.
    """
    sides = np.full((3, 2), 2 * round(EXTENT / step / 2))
    nodes, u, log_density = np.empty((0, 3), dtype=int), np.empty((0, 3)), np.empty(0)
    found: list[tuple[NDArray[np.int64], Conditional]] = []
    while True:
        new = _box(sides)
        if len(new) > MAX_NODES:
            return None
        if len(nodes):  # what the box before this one did not hold
            new = new[~((new >= nodes.min(axis=0)) & (new <= nodes.max(axis=0))).all(axis=1)]
        new_u = approximation.location + step * np.einsum("ij,sj->si", approximation.scale, new)
        new_u = new_u.astype(np.float32).astype(np.float64)
        for block in np.array_split(new_u, len(new_u) // 2048 + 1):
            conditional = target.conditional(block)
            density = target.log_posterior(block, conditional)
            # Held for what may be kept, or as it is: filtering again would be two fifths of the work.
            rows = np.flatnonzero(density > max(log_density.max(initial=-np.inf), density.max()) + _MAY_BE_KEPT)
            if 4 * len(rows) > len(density):
                rows = np.arange(len(density))
            else:
                conditional = _rows([conditional], [rows])
            found.append((len(log_density) + rows, conditional))
            log_density = np.concatenate([log_density, density])
        nodes, u = np.concatenate([nodes, new]), np.concatenate([u, new_u])
        weight = np.exp(log_density - log_density.max())
        coarse = (nodes % 2 == 0).all(axis=1)
        error = float(np.log(8 * weight[coarse].sum() / weight.sum())) ** 2
        weight /= weight.sum()
        outermost = np.stack([nodes == -sides[:, 0], nodes == sides[:, 1]], axis=-1)
        mass = np.einsum("s,sij->ij", weight, outermost)
        edge = float(mass.sum())
        if edge < max_edge:
            break
        if edge > MISPLACED:
            return None
        sides = np.where(mass >= max_edge / 6, sides + sides // 4 * 2, sides)
    if error >= MAX_ERROR:
        return None
    kept = weight > NEGLIGIBLE * weight.max()
    start = Start(u[int(np.argmax(weight))], _moments(u, weight))
    diagnostics = {"grid_error": error, "edge_mass": edge, "nodes": float(kept.sum())}
    given = _rows([conditional for _, conditional in found], [np.flatnonzero(kept[places]) for places, _ in found])
    spacing = step * np.diag(approximation.scale)
    return Weighted(given, weight[kept] / weight[kept].sum(), start, diagnostics, spacing)


def _rows(parts: list[Conditional], rows: list[NDArray[np.int64]]) -> Conditional:
    """Some rows of each part, one after the other."""
    return Conditional(
        *(
            np.concatenate([getattr(part, field.name)[chosen] for part, chosen in zip(parts, rows, strict=True)])
            for field in fields(Conditional)
        )
    )


def _box(sides: NDArray[np.int64]) -> NDArray[np.int64]:
    axes = [np.arange(-low, high + 1) for low, high in sides]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _moments(u: Floats, weight: Floats) -> Proposal:
    location = np.einsum("s,si->i", weight, u)
    return Proposal.of(location, np.einsum("s,si,sj->ij", weight, u - location, u - location))
