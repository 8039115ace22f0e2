"""Real servers for integration tests: an MLflow server on SQLite, and the production stack's stores."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import mlflow
import pytest
from mlflow.tracking import MlflowClient
from tests.conftest import deployment_environment
from tests.integration.dag_runs import DAG, SERIES, WITHIN, Triggered, parent_of

from retraining.native import airflow
from retraining.native.api import AirflowApi
from retraining.native.errors import MissingPartError
from retraining.native.ports import HOST, free_port
from retraining.native.stack import Stack, Stores, started_stack
from retraining.sample_data import station_text


@dataclass(frozen=True)
class PlainServer:
    """An MLflow server that proxies artifacts, without authentication; its log has a line a request."""

    address: str
    log: Path
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainServer]:
    folder = tmp_path_factory.mktemp("server")
    port = free_port()
    address, path = f"http://{HOST}:{port}", folder / "server.log"
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", (folder / "artifacts").as_uri()]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    # Its own environment comes first; that its address is another's default does not matter to a server.
    environment = {**kept, **deployment_environment(folder), "MLFLOW_TRACKING_URI": ""}
    with path.open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    server = PlainServer(address, path, process)
    try:
        deadline = time.monotonic() + 300
        while not _answers(f"{address}/health"):
            assert process.poll() is None, path.read_text()
            assert time.monotonic() < deadline, path.read_text()
            time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=2):
            return True
    except (URLError, OSError):
        return False


@contextlib.contextmanager
def folder_for_postgres() -> Iterator[Path]:
    """Not pytest's folder: nobody but its owner may enter that, and Postgres does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="stack-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def stack_environment(folder: Path) -> dict[str, str]:
    """What the Makefile would give to `make native`; unpausing starts no run of the present month."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "MLFLOW", "AWS_", "RETRAINING", "KEDRO"))
    }
    return {**inherited, **deployment_environment(folder / "var"), "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False"}


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack of `make native`, one for all tests; skipped where a program is missing."""
    with folder_for_postgres() as folder:
        try:
            with started_stack(folder, stack_environment(folder)) as running:
                yield running
        except MissingPartError as error:
            pytest.skip(f"needs the native stack: {error}")


@pytest.fixture(scope="session")
def api(stack: Stack) -> AirflowApi:
    """Its Airflow's API, logged in as its administrator."""
    return AirflowApi(stack.airflow.address, airflow.USER, stack.stores.secrets.airflow_admin)


@pytest.fixture(scope="session")
def stores(stack: Stack) -> Stores:
    """Its stores: Postgres, S3, and an authenticated MLflow server."""
    return stack.stores


@pytest.fixture
def client(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    """A client of its MLflow server; the process's MLflow is pointed to it too."""
    for name, value in stores.mlflow.client_environment().items():
        monkeypatch.setenv(name, value)
    mlflow.set_tracking_uri(stores.mlflow.address)
    yield MlflowClient()
    mlflow.set_tracking_uri(None)


@pytest.fixture(scope="session")
def stations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stations")
    for series in SERIES:
        (folder / f"station_{series}.csv").write_text(station_text(series))
    return folder


@pytest.fixture(scope="session")
def triggered(stack: Stack, api: AirflowApi, stations: Path) -> Triggered:
    """Triggered through the REST API with parameters, and watched until it ended."""
    conf = {"stations": str(stations), "cutoff": "2019-11-01", "n_ahead": 6, "series_per_task": 1, "audit_series": 0}
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
