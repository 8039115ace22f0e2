"""Simulated series from known parameters; real stations only where a folder of them is configured."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retraining.pipelines.climate_brazil.structural import ModelConfig, Series, ShapePrior
from retraining.pipelines.climate_brazil.structural.kernels import covariance

ROOT = Path(__file__).parents[4]
SINCE = np.datetime64("1961-01")


def simulate(
    months: int = 240,
    *,
    sigma: float = 0.5,
    amplitude: float = 0.6,
    lengthscale: float = 10.0,
    slope: float = 0.0,
    kernel: str = "matern32",
    first: str = "1990-01",
    missing: float = 0.0,
    seed: int = 0,
    name: str = "simulated",
) -> Series:
    """25 degC + slope (degC over the whole span) + 2 degC cosine + Matern trend + noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(months)
    k = covariance(kernel, np.abs(t[:, None] - t).astype(float), amplitude, lengthscale)  # type: ignore[arg-type]
    f = np.linalg.cholesky(k + 1e-10 * np.eye(months)) @ rng.standard_normal(months)
    calendar = (np.datetime64(first, "M").astype(int) + t) % 12
    y = 25 + slope * t / months + 2 * np.cos(2 * np.pi * calendar / 12) + f + sigma * rng.standard_normal(months)
    y[rng.random(months) < missing] = np.nan
    return Series(name, np.datetime64(first, "M"), y)


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Series]:
    return simulate


# What a fleet may give: its shape, its seasonal amplitudes and its slope, as numbers.
GIVEN = {
    "shape_prior": ShapePrior(mean=(-0.2, 2.2), variance=(0.4, 0.7), covariance=-0.2),
    "seasonal_sd": (1.5, 0.6, 0.4, 0.2, 0.2, 0.1),
    "pooled_slope_mean": 0.9,
    "pooled_slope_sd": 0.2,
}
MODELS = {
    "matern32": ModelConfig(),
    "matern12": ModelConfig(kernel="matern12"),
    "fleet": ModelConfig(**GIVEN),
    "log": ModelConfig(transform="log", damping=0.9),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> ModelConfig:
    return MODELS[request.param]


@pytest.fixture(scope="session")
def stations() -> list[Series]:
    """Every station of RETRAINING_TEST_DATA from 1961 on, observed part only."""
    folder = Path(os.environ.get("RETRAINING_TEST_DATA", ROOT.parent / "shared" / "data")) / "stations"
    if not folder.is_dir():
        pytest.skip(f"no real stations: {folder} does not exist; set RETRAINING_TEST_DATA to the data folder")
    found = []
    for path in sorted(folder.glob("*.csv")):
        with path.open() as file:
            rows = {int(row[0]): [float(v) for v in row[1:13]] for row in list(csv.reader(file))[1:]}
        years = range(min(rows), max(rows) + 1)
        values = np.array([v for year in years for v in rows.get(year, [999.9] * 12)])
        values[values > 900] = np.nan
        first = np.datetime64(f"{years[0]}-01", "M")
        skip = max(int((SINCE - first).astype(int)), 0)
        seen = skip + np.flatnonzero(~np.isnan(values[skip:]))
        found.append(Series(path.stem, first + seen[0], values[seen[0] : seen[-1] + 1]))
    return found
