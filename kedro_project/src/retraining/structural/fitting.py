"""From a series to its posterior: the chain of methods and the gate between them."""

import hashlib
import time

import numpy as np

from .config import InferenceConfig, ModelConfig
from .errors import InferenceError
from .likelihood import Target
from .marginal import Start, Weighted, sample_marginal
from .posterior import Posterior
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

    method "marginal": importance sampling; where its diagnostics fail, a grid; where that fails, NUTS. What was
    used is in `method_used`, why in `diagnostics`.
    """
    model, inference = model or ModelConfig(), inference or InferenceConfig()
    began = time.perf_counter()
    target = Target.of(series, model)
    own_seed = series_seed(seed, series.id)
    diagnostics: dict[str, float] = {}
    method: str = inference.method
    chains = 1
    if inference.method == "marginal":
        sample = sample_marginal(target, inference, own_seed, start)
        diagnostics |= sample.diagnostics
        if not sample.passes(inference):
            method, chains, sample = _fall_back(series, target, sample, inference, own_seed)
            diagnostics |= sample.diagnostics
    else:
        from .nuts import sample_nuts

        sample = sample_nuts(target, inference, own_seed)
        chains = inference.chains
        diagnostics |= sample.diagnostics
    diagnostics["seconds"] = time.perf_counter() - began
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
        chains=chains,
    )
    if method != "nuts":  # what the sampler filtered is what the posterior would filter again
        posterior.__dict__["target"], posterior.__dict__["conditional"] = target, sample.conditional
    return posterior


def _fall_back(
    series: Series, target: Target, failed: Weighted, inference: InferenceConfig, seed: int
) -> tuple[str, int, Weighted]:
    if not inference.fallback:
        raise InferenceError(
            f"series {series.id!r}: importance sampling failed its gate ({failed.diagnostics}) and fallback is off; "
            "set fallback=true, raise points, or use method=nuts"
        )
    from .quadrature import sample_quadrature

    grid = sample_quadrature(target, failed.start.proposal)
    if grid is not None:
        return "quadrature", 1, grid
    from .nuts import sample_nuts

    return "nuts", inference.chains, sample_nuts(target, inference, seed)
