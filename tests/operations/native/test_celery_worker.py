"""The environment of a Celery worker."""

from pathlib import Path
from typing import Any, cast

from operations.native.airflow import Airflow


def test_a_worker_says_that_it_is_ready_at_any_log_level(tmp_path: Path):
    """The stack waits for that line."""
    unused = cast(Any, None)
    airflow = Airflow(tmp_path / "airflow", unused, unused, unused, unused)
    _, environment = airflow.worker("worker-1", {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"})
    assert environment["AIRFLOW__LOGGING__LOGGING_LEVEL"] == "INFO"
