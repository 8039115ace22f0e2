"""Benchmark `short_series`: a made-up fleet of short, positive, business-like series with known truth.

Written here, so that it is free to use: 24 to 120 months, half of them with a multiplicative season, growth that
differs, a slow swing, level shifts in a third, noise of 4 to 25 percent. Each is forecast 12 months ahead. CRPS is in
standard deviations of each history; differences are paired by series. SERIES=120 says how many.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from measure import publish
from peers import PEERS

from retraining.pipelines.climate_brazil.structural import (
    FleetConfig,
    Forecast,
    ModelConfig,
    Series,
    fit,
    fit_fleet,
    score,
    seasonal_naive,
)

COUNT, AHEAD = int(os.environ.get("SERIES") or 60), 12
FIRST = np.datetime64("2014-01")
HEADER = ["model", "series", "CRPS", "in 80 %", "in 95 %", "negative 2.5 %", "CRPS less the best peer", "se", "ratio"]
PEER_NAMES = ("AutoETS", "AutoTheta")


def made_up(number: int) -> tuple[Series, np.ndarray]:
    """A history and the year after it."""
    rng = np.random.default_rng([20240101, number])
    months = int(rng.integers(24, 121))
    t = np.arange(months + AHEAD)
    log = rng.normal(5, 1.5) + rng.normal(0.04, 0.06) * t / 12
    if rng.random() < 0.5:
        height = rng.lognormal(np.log(0.2), 0.4)
        log = log + height * np.cos(2 * np.pi * (t - rng.normal(11, 1)) / 12)
        log = log + 0.4 * height * np.cos(4 * np.pi * (t - rng.normal(5, 1)) / 12)
    decay, spread = np.exp(-1 / rng.lognormal(np.log(8), 0.5)), rng.lognormal(np.log(0.06), 0.5)
    swing = np.zeros(len(t))
    for i in range(1, len(t)):
        swing[i] = decay * swing[i - 1] + spread * np.sqrt(1 - decay**2) * rng.standard_normal()
    if rng.random() < 1 / 3:
        log = log + rng.normal(0, 0.25) * (t >= rng.integers(6, months))
    values = np.exp(log + swing + rng.uniform(0.04, 0.25) * rng.standard_normal(len(t)))
    return Series(f"s{number:03}", FIRST, values[:months]), values[months:]


def main() -> None:
    """Fit the fleet in every way, score, publish."""
    pairs = [made_up(number) for number in range(COUNT)]
    table = {
        "series": [one.id for one, _ in pairs for _ in one.values],
        "date": [month for one, _ in pairs for month in one.months],
        "value": [value for one, _ in pairs for value in one.values],
    }
    arms: dict[str, Callable[[Series], Forecast]] = {
        name: lambda series, peer=PEERS[name]: peer(series, AHEAD) for name in PEER_NAMES
    }
    arms["seasonal naive"] = lambda series: seasonal_naive(series, AHEAD)
    arms["ours, no transform, alone"] = lambda series: fit(series).forecast(AHEAD)
    decisions = {}
    for name, model, prior in (
        ("ours, auto, alone", ModelConfig(transform="auto"), "off"),
        ("ours, auto, fleet", ModelConfig(transform="auto"), "on"),
        ("ours, auto, fleet, damped .97", ModelConfig(transform="auto", damping=0.97), "on"),
        ("ours, auto, fleet decided by its gate", ModelConfig(transform="auto"), "auto"),
    ):
        fitted = fit_fleet(table, FleetConfig(model=model, fleet_prior=prior))
        made = fitted.forecast(AHEAD)
        decisions[name] = fitted.decision.reason
        print(name, fitted.decision.reason, flush=True)
        arms[name] = lambda series, made=made: made[series.id]
    scores = {name: [_scored(arm(series), series, actual) for series, actual in pairs] for name, arm in arms.items()}
    best = min(PEER_NAMES, key=lambda name: float(np.mean([row[0] for row in scores[name]])))
    rows = [_row(name, np.array(own), np.array(scores[best])) for name, own in scores.items()]
    figure = min(rows[len(PEER_NAMES) + 1 :], key=lambda row: row[2])
    publish(
        "short_series",
        f"{figure[0]}: CRPS {figure[-1]:.3f} of {best}'s",
        HEADER,
        rows,
        best_peer=best,
        decisions=decisions,
    )


def _scored(forecast: Forecast, series: Series, actual: np.ndarray) -> list[float]:
    found = score(forecast, actual)
    negative = float((forecast.quantile(0.025) < 0).any())
    return [found["crps"] / float(np.nanstd(series.values)), found["coverage_80"], found["coverage_95"], negative]


def _row(name: str, own: np.ndarray, best: np.ndarray) -> list:
    difference = own[:, 0] - best[:, 0]
    error = float(difference.std(ddof=1) / np.sqrt(len(own)))
    return [
        name,
        len(own),
        *map(float, own[:, :4].mean(axis=0)),
        float(difference.mean()),
        error,
        float(own[:, 0].mean() / best[:, 0].mean()),
    ]


if __name__ == "__main__":
    main()
