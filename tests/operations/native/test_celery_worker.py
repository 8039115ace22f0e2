"""The environment of a Celery worker."""

from pathlib import Path

from operations.native.airflow import Airflow
from operations.native.mlflow_server import Mlflow
from operations.native.object_store import ObjectStore
from operations.native.postgres import Postgres
from operations.native.secrets import Secrets


def test_a_worker_says_that_it_is_ready_at_any_log_level(tmp_path: Path):
    """The stack waits for that line."""
    known = Secrets.of(tmp_path)
    postgres = Postgres(tmp_path / "postgres", known)
    store = ObjectStore(tmp_path / "data", "data", known.data_key, known.data_secret)
    mlflow = Mlflow(tmp_path / "mlflow", known, postgres, store)
    airflow = Airflow(tmp_path / "airflow", known, postgres, store, mlflow)
    _, environment = airflow.worker("worker-1", {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"})
    assert environment["AIRFLOW__LOGGING__LOGGING_LEVEL"] == "INFO"
    # Made-up data until real files were read, unless whoever starts the stack says otherwise.
    assert environment["ALLOW_SIMULATED"] == "fresh"
    assert airflow.worker("worker-1", {"ALLOW_SIMULATED": "0"})[1]["ALLOW_SIMULATED"] == "0"
