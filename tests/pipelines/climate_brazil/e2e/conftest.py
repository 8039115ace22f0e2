"""Deployments of this pipeline, and three simulated stations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from retraining.pipelines.climate_brazil.stations.sample import station_text
from tests.fixtures.deployments import Deployment


@pytest.fixture(scope="session")
def new_deployment(new_deployment: Callable[..., Deployment]) -> Callable[[], Deployment]:
    """A function that makes a deployment of its own."""
    return lambda: new_deployment("climate_brazil")


@pytest.fixture(scope="session")
def stations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated files of three stations."""
    folder = tmp_path_factory.mktemp("stations")
    for series in ("belem", "rio", "vitoria"):
        (folder / f"station_{series}.csv").write_text(station_text(series))
    return folder
