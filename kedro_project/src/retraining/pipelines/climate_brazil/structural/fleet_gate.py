"""Whether a fleet's prior is used: it must win on held-out months of the fleet's own past.

At each of the last origins, a year apart, a sample of series is forecast a year ahead with and without the prior, which
is learnt from what was observed before that origin. It wins where the mean difference of CRPS, in standard deviations
of each series so that units do not matter, is below zero. Borrowing hurts a fleet of unlike series: so one is found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .config import InferenceConfig, ModelConfig
from .errors import StructuralError
from .fitting import fit, series_seed
from .fleet_prior import FleetPrior, learn_fleet
from .posterior import Posterior
from .series import MIN_OBSERVED_MONTHS, PERIOD, Series

ORIGINS, GATE_SERIES = 3, 50


@dataclass(frozen=True)
class Decision:
    """Whether the prior is used, and what says so.

    Attributes:
        used: in the fits of the fleet.
        reason: in words.
        with_fleet: mean CRPS over the compared series and origins, in sds of the series; None without any.
        without: the same of the model's own priors.
        cases: forecasts that were compared.
        origins: how many origins they had.
    """

    used: bool
    reason: str
    with_fleet: float | None = None
    without: float | None = None
    cases: int = 0
    origins: int = 0


def sampled(ids: Sequence[str], count: int, seed: int) -> list[str]:
    """At most `count` ids, by their own seeded hash, so that a newcomer hardly changes who is among them."""
    return sorted(sorted(ids, key=lambda one: series_seed(seed, f"fleet:{one}"))[:count])


def decide(
    fleet: Sequence[Series],
    model: ModelConfig,
    inference: InferenceConfig,
    seed: int = 0,
    *,
    alone: ModelConfig | None = None,
) -> Decision:
    """Compare both a year ahead on the fleet's last three origins.

    decide(list_of_series, ModelConfig(), InferenceConfig()).used

    Args:
        fleet: of which a sample of fifty is compared.
        model: of a series that borrows.
        inference: of all these fits; a series that it cannot fit is left out.
        seed: of the sample and of the fits.
        alone: model of a series that does not borrow, where that is another one (without a second window, say).
    """
    chosen = set(sampled([one.id for one in fleet], GATE_SERIES, seed))
    members = [one for one in fleet if one.id in chosen]
    gains: list[tuple[float, float]] = []
    origins = 0
    end = max((one.last_month for one in members), default=np.datetime64("1970-01"))
    for back in range(1, ORIGINS + 1):
        last = end - back * PERIOD
        known = {one.id: one.until(last) for one in members if one.first_month <= last <= one.last_month}
        plain = _fits(known, alone or model, inference, seed)
        prior = learn_fleet(plain.values())
        here = [_pair(one, plain[one.id], model, prior, inference, seed) for one in members if one.id in plain]
        compared = [pair for pair in here if pair is not None]
        origins += bool(compared)
        gains += compared
    if origins < ORIGINS:
        return Decision(
            False, f"only {origins} of {ORIGINS} past origins can be compared: histories are too short, or too few"
        )
    with_fleet, without = (float(one) for one in np.mean(gains, axis=0))
    used = with_fleet < without
    reason = f"CRPS {with_fleet:.3f} with the fleet's prior, {without:.3f} without, in sds of the series"
    return Decision(used, reason, with_fleet, without, len(gains), origins)


def _fits(known: dict[str, Series], model: ModelConfig, inference: InferenceConfig, seed: int) -> dict[str, Posterior]:
    out = {}
    for name, one in known.items():
        if one.observed.sum() >= MIN_OBSERVED_MONTHS:
            try:
                out[name] = fit(one, model, inference, seed=seed)
            except StructuralError:  # constant in those years, say
                continue
    return out


def _pair(
    series: Series, plain: Posterior, model: ModelConfig, prior: FleetPrior, inference: InferenceConfig, seed: int
) -> tuple[float, float] | None:
    """(with, without) of one series at one origin; None where nothing was observed after it, or nobody can teach it."""
    settled = plain.model.model_copy(update={"recent_years": model.recent_years})
    taught = prior.model_for(series.id, settled)
    actual = series.values[len(plain.series) : len(plain.series) + model.period]
    if taught == settled or not np.isfinite(actual).any():
        return None
    try:
        borrowed = fit(plain.series, taught, inference, seed=seed, start=plain.start)
    except StructuralError:
        return None
    scores = [np.nanmean(one.forecast(len(actual)).crps(actual)) for one in (borrowed, plain)]
    scale = float(np.nanstd(plain.series.values))
    return float(scores[0]) / scale, float(scores[1]) / scale
