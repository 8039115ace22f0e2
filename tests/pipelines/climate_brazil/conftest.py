"""Parts that tests of climate_brazil share: simulated stations, a posterior, and a DAG run on the native stack."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from operations.native.api import AirflowApi
from operations.native.stack import Stack
from retraining.pipelines.climate_brazil.stations.sample import station_text
from tests.pipelines.climate_brazil.integration.dag_runs import DAG, SERIES, WITHIN, Triggered, parent_of


@pytest.fixture
def write_station(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes simulated station files of the given series to a folder and returns it."""

    def write(*series: str, folder: Path | None = None) -> Path:
        target = folder or tmp_path / "stations"
        target.mkdir(exist_ok=True)
        for one in series:
            (target / f"station_{one}.csv").write_text(station_text(one))
        return target

    return write


@pytest.fixture(scope="session")
def posterior():
    """A posterior of 20 years of made-up months, 25 °C give or take a season."""
    from retraining.pipelines.climate_brazil.structural import InferenceConfig, ModelConfig, Series, fit

    months = np.arange(240)
    noise = np.random.default_rng(0).normal(0, 0.5, months.size)
    values = 25 + 2 * np.sin(2 * np.pi * months / 12) + noise
    series = Series("made_up", np.datetime64("1990-01"), values)
    return fit(series, ModelConfig(), InferenceConfig(draws=100, points=512, min_ess=50), seed=1)


@pytest.fixture(scope="session")
def two_stations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stations")
    for series in SERIES:
        (folder / f"station_{series}.csv").write_text(station_text(series))
    return folder


@pytest.fixture(scope="session")
def triggered(stack: Stack, api: AirflowApi, two_stations: Path) -> Triggered:
    """Triggered through the REST API with parameters, and watched until it ended."""
    conf = {
        "stations": str(two_stations),
        "cutoff": "2019-11-01",
        "n_ahead": 6,
        "series_per_task": 1,
        "audit_series": 0,
    }
    run_id, seen = "by_rest", []
    tracking = stack.stores.mlflow.client_environment()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tracking.items():
            patch.setenv(name, value)
        client = MlflowClient(stack.stores.mlflow.address)
        api.trigger(DAG, run_id, conf)
        deadline = time.monotonic() + WITHIN
        while (state := api.dag_run(DAG, run_id)["state"]) not in ("success", "failed"):
            assert time.monotonic() < deadline
            parent = parent_of(client, run_id)
            # Asked after the parent: a close that had not started by now has not ended the run that was read before.
            tasks = {task["task_id"]: task["state"] for task in api.tasks(DAG, run_id)}
            if parent and tasks.get("close_run") in (None, "scheduled", "queued"):
                seen.append(parent.info.status)
            time.sleep(0.3)
    return Triggered(run_id, state, seen, api.tasks(DAG, run_id))
