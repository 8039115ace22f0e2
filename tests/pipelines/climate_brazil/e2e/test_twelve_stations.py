"""The main job on the real stations: `make retrain`, and what the store then holds."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment import ROOT

METRICS = {"rmse", "mae", "crps", "coverage_80", "coverage_95", "skill_vs_seasonal_naive", "k_hat", "ess", "seconds"}
PARAMETERS = {"series", "training_start", "training_end", "model_id", "model_type", "y_mean", "y_std"}
ARTIFACTS = {"figures/forecast.svg", "posterior.nc", "model/MLmodel", "model/series_model.py"}


@pytest.mark.slow
@pytest.mark.full
def test_retrain_from_the_makefile(new_deployment: Callable, real_data: Path) -> None:
    deployment = new_deployment()
    # The prepared deployment stands in for `make setup`, which CI runs in a step of its own.
    (deployment.var / ".prepared-2").touch()
    done = subprocess.run(
        ["make", "retrain", f"VAR={deployment.var}", f"STATIONS={real_data / 'stations'}"],
        cwd=ROOT,
        env={**deployment.environment, "AIRFLOW_HOME": str(deployment.var / "airflow")},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.rstrip().endswith("series=12 finished=12 failed=0")
    [parent] = deployment.parents()
    assert parent.info.status == "FINISHED"
    children = deployment.children(parent)
    assert len(children) == 12
    for child in children.values():
        assert child.info.status == "FINISHED"
        assert set(child.data.metrics) >= METRICS
        assert set(child.data.params) >= PARAMETERS
        assert deployment.artifacts(child) >= ARTIFACTS
    # Pooled over 141 observed held-out months: as good as climatology + trend, better than the easy ones.
    metrics = parent.data.metrics
    assert metrics["n_scored"] == 141
    assert metrics["crps"] < metrics["crps_seasonal_naive"] < metrics["crps_climatology"]
    assert metrics["crps"] < 1.02 * metrics["crps_climatology_trend"]
    assert 0.65 < metrics["coverage_80"] < 0.95
