"""From a series to its posterior: the chain of methods and the gate between them."""

import hashlib
import time
from dataclasses import replace

import numpy as np

from .config import InferenceConfig, ModelConfig
from .errors import InferenceError
from .likelihood import Target
from .marginal import Start, Weighted, find_mode, laplace, sample_marginal
from .nuts import sample_nuts
from .posterior import Posterior
from .quadrature import sample_quadrature
from .series import Series


def series_seed(seed: int, series_id: str) -> int:
    """A seed of its own for each series, whatever its shard or order; stable across processes."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{series_id}".encode()).digest()[:8], "little")


def fit(
    series: Series,
    model: ModelConfig | None = None,
    inference: InferenceConfig | None = None,
    *,
    seed: int = 0,
    start: Start | None = None,
) -> Posterior:
    """Posterior of one series. `start` is `posterior.start` of an earlier fit of nearly the same data.

    method "marginal": a grid for a short history, importance sampling for a long one; where its diagnostics fail, a
    grid; where that fails, NUTS. What was used is in `method_used`, why in `diagnostics`.
    """
    model, inference = model or ModelConfig(), inference or InferenceConfig()
    began = time.perf_counter()
    target = Target.of(series, model)
    own_seed = series_seed(seed, series.id)
    method, sample = integrate(target, inference, own_seed, start)
    diagnostics = sample.diagnostics | {"seconds": time.perf_counter() - began}
    posterior = Posterior(
        series,
        model,
        sample.u.astype(np.float32),
        sample.weight.astype(np.float32),
        method,
        {name: float(value) for name, value in diagnostics.items() if np.isfinite(value)},
        sample.start,
        own_seed,
        draws=inference.draws,
        chains=inference.chains if method == "nuts" else 1,
    )
    if method != "nuts":  # what the sampler filtered is what the posterior would filter again
        posterior.__dict__["target"], posterior.__dict__["conditional"] = target, sample.conditional
    return posterior


def integrate(target: Target, inference: InferenceConfig, seed: int, start: Start | None) -> tuple[str, Weighted]:
    """The method that was used, and its weighted sample of theta with the diagnostics of all that were tried."""
    if inference.method == "nuts":
        return "nuts", sample_nuts(target, inference, seed)
    if target.length <= inference.grid_months:
        grid = _short_history(target, start)
        if grid is not None:
            return "quadrature", grid
    sample = sample_marginal(target, inference, seed, start)
    if sample.passes(inference):
        return "marginal", sample
    if not inference.fallback:
        raise InferenceError(
            f"series {target.series_id!r}: importance sampling failed its gate ({sample.diagnostics}) and fallback is "
            "off; set fallback=true, raise points, or use method=nuts"
        )
    grid = sample_quadrature(target, sample.start.proposal)
    method, better = ("quadrature", grid) if grid is not None else ("nuts", sample_nuts(target, inference, seed))
    return method, replace(better, diagnostics=sample.diagnostics | better.diagnostics)


def _short_history(target: Target, start: Start | None) -> Weighted | None:
    if start is not None:
        grid = sample_quadrature(target, start.proposal)
        if grid is not None:
            return grid
    return sample_quadrature(target, laplace(target, find_mode(target)))
