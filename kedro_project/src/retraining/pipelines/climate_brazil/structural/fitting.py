"""From a series to its posterior: the chain of methods and the gate between them."""

import hashlib
import logging
import time
from dataclasses import replace

import numpy as np

from .config import InferenceConfig, ModelConfig
from .errors import InferenceError, SamplingTimeoutError
from .fleet_prior import FleetPrior
from .likelihood import Target
from .marginal import Start, Weighted, find_mode, laplace, sample_marginal
from .nuts import sample_nuts
from .posterior import Posterior
from .quadrature import sample_quadrature
from .series import MIN_OBSERVED_MONTHS, PERIOD, Series
from .transform import settle_transform

log = logging.getLogger(__name__)

CACHED = ("target", "conditional")


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
    fleet: FleetPrior | None = None,
) -> Posterior:
    """Posterior of one series. `start` is `posterior.start` of an earlier fit of nearly the same data.

    method "marginal": a grid for a short history, importance sampling for a long one; where its diagnostics fail, a
    grid; where that fails, NUTS. What was used is in `method_used`, why in `diagnostics`. `fleet` is what other series
    have taught (`learn_fleet`); the series itself, where it is among them, is left out.

    fit(series), fit(series, ModelConfig(transform="log")), fit(series, fleet=prior)

    Raises:
        StructuralError: the series is too short, constant, or not positive with `transform: log`.
    """
    model, inference = settle_transform(series, model or ModelConfig()), inference or InferenceConfig()
    if fleet is not None:
        model = fleet.model_for(series.id, model)
    posterior = _fit_window(series, model, inference, seed, start)
    if model.recent_years is None:
        return posterior
    count = model.recent_years * PERIOD // series.step
    recent = series.newest(count)
    if len(series) <= count or recent.observed.sum() < MIN_OBSERVED_MONTHS:
        return posterior
    both = replace(posterior, recent=_fit_window(recent, model, inference, seed, None))
    both.__dict__.update({name: posterior.__dict__[name] for name in CACHED if name in posterior.__dict__})
    return both


def _fit_window(
    series: Series, model: ModelConfig, inference: InferenceConfig, seed: int, start: Start | None
) -> Posterior:
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
    if grid is not None:
        return "quadrature", replace(grid, diagnostics=sample.diagnostics | grid.diagnostics)
    try:
        slow = sample_nuts(target, inference, seed, inference.max_fallback_seconds)
    except SamplingTimeoutError as error:
        log.warning("%s; what importance sampling has found is kept, and fails its gate", error)
        return "marginal", replace(sample, diagnostics=sample.diagnostics | {"fallback_timed_out": 1.0})
    return "nuts", replace(slow, diagnostics=sample.diagnostics | slow.diagnostics)


def _short_history(target: Target, start: Start | None) -> Weighted | None:
    if start is not None:
        grid = sample_quadrature(target, start.proposal)
        if grid is not None:
            return grid
    return sample_quadrature(target, laplace(target, find_mode(target)))
