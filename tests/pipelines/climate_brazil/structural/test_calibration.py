"""Coverage on made-up fleets that the model is true of, in which 0.1 degC is much: a wrong width shows.

Months of one series are not independent, so that the bands are those of so many series, about three standard errors.
"""

from functools import cache

import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import (
    Forecast,
    Mixture,
    ModelConfig,
    Series,
    fit,
    learn_fleet,
    score,
)

SERIES, MONTHS, AHEAD = 48, 156, 12
BANDS = {"coverage_80": (0.74, 0.86), "coverage_95": (0.915, 0.98)}
WIDER = 0.05  # each way: an interval that is 0.1 degC wider


def made_up(simulated, number: int, log: bool) -> tuple[Series, np.ndarray]:
    """A history of thirteen years and the year after it; residuals of about 0.1 degC."""
    rng = np.random.default_rng(number)
    scale = 0.08 * np.exp(0.2 * rng.standard_normal())
    whole = simulated(
        MONTHS + AHEAD, sigma=scale, amplitude=0.7 * scale, lengthscale=6.0, slope=0.3, seed=number, name=f"s{number}"
    )
    values = np.exp(whole.values - 25) if log else whole.values
    return Series(whole.id, whole.first_month, values[:MONTHS]), values[MONTHS:]


@cache
def forecasts(simulated, model: ModelConfig, borrow: bool = False) -> list[tuple[Forecast, np.ndarray]]:
    pairs = [made_up(simulated, number, model.transform == "log") for number in range(SERIES)]
    posteriors = [fit(history, model) for history, _ in pairs]
    if borrow:
        prior = learn_fleet(posteriors)
        posteriors = [fit(history, model, fleet=prior) for history, _ in pairs]
    return [(one.forecast(AHEAD), actual) for one, (_, actual) in zip(posteriors, pairs, strict=True)]


def coverages(made: list[tuple[Forecast, np.ndarray]]) -> dict[str, float]:
    scores = [score(forecast, actual) for forecast, actual in made]
    return {name: float(np.mean([one[name] for one in scores])) for name in BANDS}


def calibrated(found: dict[str, float]) -> bool:
    return all(low < found[name] < high for name, (low, high) in BANDS.items())


@pytest.mark.parametrize(
    ("model", "borrow"),
    [
        (ModelConfig(), False),
        pytest.param(ModelConfig(recent_years=10), True, marks=pytest.mark.full),
        pytest.param(ModelConfig(transform="log"), False, marks=pytest.mark.full),
    ],
    ids=["own priors", "fleet and two windows", "logarithm"],
)
def test_intervals_hold_what_they_say(simulated, model, borrow):
    found = coverages(forecasts(simulated, model, borrow))
    assert calibrated(found), found


def test_a_tenth_of_a_degree_more_would_be_seen(simulated, monkeypatch):
    """The bands above are narrow enough to tell."""
    usual = Mixture.interval
    monkeypatch.setattr(
        Mixture, "interval", lambda self, mass=0.8: (usual(self, mass)[0] - WIDER, usual(self, mass)[1] + WIDER)
    )
    assert not calibrated(coverages(forecasts(simulated, ModelConfig(), False)))
