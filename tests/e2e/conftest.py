"""Deployments for end-to-end tests: prepared once, copied per test, driven by the real commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from tests.conftest import deployment_environment


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    output: str
    seconds: float
    # Status of the parent run at each look while the command ran, with the time of the look.
    seen: list[tuple[float, str]] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)


@dataclass
class Deployment:
    """A folder with its own Airflow and MLflow databases."""

    var: Path

    @property
    def environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "MLFLOW"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**inherited, **deployment_environment(self.var), "PATH": path}

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.environment["MLFLOW_TRACKING_URI"])

    def parents(self) -> list[Run]:
        return [run for run in self._runs() if MLFLOW_PARENT_RUN_ID not in run.data.tags]

    def children(self, parent: Run) -> dict[str, Run]:
        found = [run for run in self._runs() if run.data.tags.get(MLFLOW_PARENT_RUN_ID) == parent.info.run_id]
        by_series = {run.data.tags["series"]: run for run in found}
        assert len(by_series) == len(found), "a series has two child runs"
        return by_series

    def _runs(self) -> list[Run]:
        experiment = self.client.get_experiment_by_name("climate_brazil")
        return list(self.client.search_runs([experiment.experiment_id])) if experiment else []

    def artifacts(self, run: Run) -> set[str]:
        def walk(path: str | None):
            for item in self.client.list_artifacts(run.info.run_id, path):
                if item.is_dir:
                    yield from walk(item.path)
                else:
                    yield item.path

        return set(walk(None))

    def dags_test(self, timeout: float = 180, environment: dict[str, str] | None = None, **conf: Any) -> Outcome:
        """Run `airflow dags test climate_brazil`, looking at the parent's status meanwhile."""
        command = ["airflow", "dags", "test", "climate_brazil", "--conf", json.dumps(conf)]
        output, begin = self.var / "output.log", time.monotonic()
        outcome = Outcome(-1, "", 0.0)
        over = threading.Event()
        with output.open("w") as log:
            process = subprocess.Popen(
                command, env={**self.environment, **(environment or {})}, stdout=log, stderr=subprocess.STDOUT
            )
            looker = threading.Thread(target=self._look, args=(output, outcome, over))
            looker.start()
            try:
                outcome.code = process.wait(timeout)
            finally:
                process.kill()
                over.set()
                looker.join()
        outcome.seconds = time.monotonic() - begin
        outcome.output = output.read_text()
        outcome.run_ids = re.findall(r"parent_run_id=([0-9a-f]{32})", outcome.output)
        return outcome

    def _look(self, output: Path, outcome: Outcome, over: threading.Event) -> None:
        client = self.client
        run_id = None
        while not over.wait(0.5):
            if run_id is None:
                found = re.search(r"parent_run_id=([0-9a-f]{32})", output.read_text())
                run_id = found and found.group(1)
            if run_id is not None:
                # The log is read after the status: a status read before the close task is named is one from before it.
                status = client.get_run(run_id).info.status
                if "starting task_id=close_run" in output.read_text():
                    return
                outcome.seen.append((time.monotonic(), status))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment whose databases have their tables."""
    deployment = Deployment(tmp_path_factory.mktemp("prepared") / "var")
    (deployment.var / "mlflow").mkdir(parents=True)
    environment = deployment.environment
    subprocess.run(["airflow", "db", "migrate"], env=environment, check=True, capture_output=True, timeout=300)
    deployment.client.search_experiments()
    # It names this folder; Airflow writes another where it is absent.
    (deployment.var / "airflow" / "airflow.cfg").unlink(missing_ok=True)
    return deployment.var


@pytest.fixture(scope="session")
def new_deployment(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Deployment]:
    """A function that makes a deployment of its own."""

    def make() -> Deployment:
        folder = tmp_path_factory.mktemp("deployment") / "var"
        shutil.copytree(prepared, folder)
        return Deployment(folder)

    return make


@pytest.fixture(scope="session")
def stations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated files of three stations."""
    from retraining.sample_data import station_text

    folder = tmp_path_factory.mktemp("stations")
    for series in ("belem", "rio", "vitoria"):
        (folder / f"station_{series}.csv").write_text(station_text(series))
    return folder
