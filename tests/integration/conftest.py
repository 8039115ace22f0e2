"""Real servers for integration tests: an MLflow server on SQLite, and the production stack's stores."""

from __future__ import annotations

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

import pytest
from tests.conftest import deployment_environment

from retraining.native.errors import MissingPartError
from retraining.native.ports import HOST, free_port
from retraining.native.stack import Stores, started_stores


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
        deadline = time.monotonic() + 90
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


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """Postgres, an S3 server and an authenticated MLflow server; skipped where a program is missing."""
    # Not pytest's folder: nobody but its owner may enter that, and Postgres does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="stores-"))
    folder.chmod(0o711)
    try:
        with started_stores(folder) as running:
            yield running
    except MissingPartError as error:
        pytest.skip(f"needs real stores: {error}")
    finally:
        shutil.rmtree(folder)
