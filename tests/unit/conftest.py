"""Parts that several unit tests use: a real MLflow store in SQLite, made once and copied."""

import shutil
import signal
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

with warnings.catch_warnings():
    # MLflow warns about its own type hints when its pyfunc module is first imported.
    warnings.simplefilter("ignore")
    import mlflow.pyfunc


@pytest.fixture(scope="session")
def posterior():
    """A posterior of 20 years of made-up months, 25 °C give or take a season."""
    from retraining.structural import InferenceConfig, ModelConfig, Series, fit

    months = np.arange(240)
    noise = np.random.default_rng(0).normal(0, 0.5, months.size)
    values = 25 + 2 * np.sin(2 * np.pi * months / 12) + noise
    series = Series("made_up", np.datetime64("1990-01"), values)
    return fit(series, ModelConfig(), InferenceConfig(draws=100, points=512, min_ess=50), seed=1)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs; its migrations take seconds, a copy none."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(var: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch):
    """A client of this test's own store, to which the process's MLflow is pointed; no run stays active."""
    shutil.copy(empty_database, var / "mlflow" / "mlflow.db")
    # What earlier tests, or kedro-mlflow in this one, set for the whole process.
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    yield MlflowClient(f"sqlite:///{var}/mlflow/mlflow.db")
    while mlflow.active_run():
        mlflow.end_run()


@pytest.fixture
def parent(store: MlflowClient, var: Path):
    """A parent run, active as it is inside a task."""
    experiment = store.create_experiment("climate_brazil", artifact_location=(var / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        yield run


@pytest.fixture
def handlers():
    """Puts the signal handlers back that a command under test changes."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
