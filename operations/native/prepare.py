"""`make setup`: the embedded MLflow store, made once and without its empty "Default" experiment."""

from __future__ import annotations

import mlflow
from mlflow.tracking import MlflowClient

from tracked_kedro.cli.sign_models import sign_once

DEFAULT_EXPERIMENT = "0"


def prepare_tracking() -> None:
    """Make the store where it is embedded, and sign its versions from before signatures, once.

    A tracking server looks after its own.
    """
    if not mlflow.get_tracking_uri().startswith("sqlite:"):
        return
    client = MlflowClient()
    unused = [e for e in client.search_experiments() if e.experiment_id == DEFAULT_EXPERIMENT]
    if unused and not client.search_runs([DEFAULT_EXPERIMENT], max_results=1):
        client.delete_experiment(DEFAULT_EXPERIMENT)
    sign_once()
