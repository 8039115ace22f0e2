"""`kedro run` as a person types it, in a process of its own: the same MLflow structure as the DAG makes."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from retraining.pipelines.climate_brazil.stations.sample import station_text
from tests.deployment import ROOT, deployment_environment
from tests.fixtures.templates import EmptyStore

PROJECT = ROOT / "kedro_project"
SERIES = {"belem": "Belém", "rio": "Rio de Janeiro"}
METRICS = {"rmse", "mae", "crps", "coverage_80", "coverage_95", "skill_vs_seasonal_naive"}


@dataclass(frozen=True)
class Deployment:
    """A deployment folder with its own store, in which `kedro` can be called."""

    var: Path
    stations: Path

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "RETRAINING_"))}
        logging = {"KEDRO_LOGGING_CONFIG": str(PROJECT / "conf" / "logging.yml")}
        return {**kept, **deployment_environment(self.var), **logging, "PATH": path}

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.var}/mlflow/mlflow.db")

    def kedro(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kedro", *arguments],
            cwd=PROJECT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )

    def run(self, *arguments: str, **parameters: object) -> Run | None:
        """Run with parameters of climate_brazil; the parent run that it made, None where it made none."""
        before = {run.info.run_id for run in self.parents()}
        given = {"stations": self.stations, "inference.draws": 200, **parameters}
        text = ",".join(f"climate_brazil.{name}={value}" for name, value in given.items())
        done = self.kedro("run", *arguments, "--params", text)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        made = [run for run in self.parents() if run.info.run_id not in before]
        assert len(made) <= 1
        return made[0] if made else None

    def runs(self) -> list[Run]:
        experiment = self.client.get_experiment_by_name("climate_brazil")
        return list(self.client.search_runs([experiment.experiment_id])) if experiment else []

    def parents(self) -> list[Run]:
        return [run for run in self.runs() if "mlflow.parentRunId" not in run.data.tags]

    def children(self, parent: Run) -> dict[str, Run]:
        nested = [run for run in self.runs() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        found = {run.info.run_name: run for run in nested}
        assert len(found) == len(nested)
        return found

    def artifacts(self, run: Run, folder: str | None = None) -> set[str]:
        found: set[str] = set()
        for file in self.client.list_artifacts(run.info.run_id, folder):
            found |= self.artifacts(run, file.path) if file.is_dir else {file.path}
        return found


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, empty_store: EmptyStore) -> Deployment:
    folder = tmp_path_factory.mktemp("deployment")
    empty_store(folder / "var")
    (folder / "stations").mkdir()
    for series in SERIES:
        (folder / "stations" / f"station_{series}.csv").write_text(station_text(series))
    return Deployment(folder / "var", folder / "stations")


@pytest.fixture(scope="module")
def whole(deployment: Deployment) -> Run:
    """The parent run of `kedro run`, which everything else here builds on."""
    run = deployment.run()
    assert run is not None
    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pipelines", "climate_brazil.train"], "run first: kedro run --pipelines climate_brazil.data_processing"),
        (["--env", "prod"], "RETRAINING_DATA is not set"),
    ],
)
def test_a_run_that_cannot_begin_is_one_line_and_leaves_no_run(
    tmp_path: Path, empty_store: EmptyStore, arguments: list[str], said: str
) -> None:
    empty_store(tmp_path / "var")
    fresh = Deployment(tmp_path / "var", tmp_path)
    done = fresh.kedro("run", *arguments)
    assert done.returncode == 1
    [line] = [line for line in (done.stdout + done.stderr).splitlines() if line]
    assert line.startswith("Error: ")
    assert said in line
    assert fresh.runs() == []


def test_the_parent_is_finished_and_named_after_its_month(deployment: Deployment, whole: Run) -> None:
    assert (whole.info.run_name, whole.info.status) == ("climate_brazil 2019-10", "FINISHED")
    wanted = {"git_commit", "git_dirty", "kedro_command", "kedro_version", "data_source", "simulated", "model"}
    assert wanted | {"trend_component", "seasonal_component", "cutoff", "newest_observation"} <= whole.data.tags.keys()
    assert whole.data.tags["simulated"] == "false"
    assert whole.data.tags["data_source"] == str(deployment.stations)
    assert whole.data.params["climate_brazil.inference.draws"] == "200"
    assert whole.data.params["climate_brazil.model.kernel"] == "matern32"
    counts = {"n_series": 2, "n_finished": 2, "n_failed": 0, "n_quarantined": 10, "series_done": 2}
    assert counts.items() <= whole.data.metrics.items()
    assert set(whole.data.metrics) >= METRICS
    (table,) = whole.inputs.dataset_inputs
    assert (table.dataset.name, bool(table.dataset.digest)) == ("climate_brazil", True)


def test_the_parent_has_plot_report_quarantine_and_graph(deployment: Deployment, whole: Run) -> None:
    files = deployment.artifacts(whole)
    assert {
        "figures/timeseries.html",
        "figures/beside_champion/forecasts.png",
        "report/report.html",
        "report/report.parquet",
        "report/summary.txt",
        "report/quarantine.csv",
    } <= files
    assert any(re.fullmatch(r"figures/model_graph/model_graph\.(svg|mmd)", file) for file in files)


def test_each_series_has_a_child(deployment: Deployment, whole: Run) -> None:
    children = deployment.children(whole)
    assert {child.info.run_name for child in children.values()} == set(SERIES.values())
    for child in children.values():
        assert child.info.status == "FINISHED"
        assert METRICS | {"k_hat", "ess", "seconds"} <= child.data.metrics.keys()
        wanted = {"series", "training_start", "training_end", "model_id", "model_type", "y_mean", "y_std"}
        assert wanted <= child.data.params.keys()
        files = deployment.artifacts(child)
        kept = {
            "figures/forecast.svg",
            "series.parquet",
            "posterior.nc",
            "model/MLmodel",
            "model/artifacts/posterior.nc",
        }
        assert kept | {"model/MLmodel", "model/artifacts/posterior.nc"} <= files
        assert any(re.fullmatch(r"figures/model_graph\.(svg|mmd)", file) for file in files)
        assert not any(file.endswith(".pkl") for file in files)


def test_the_run_folder_keeps_the_forecasts_of_each_series(deployment: Deployment, whole: Run) -> None:
    files = sorted((deployment.var / "data" / "climate_brazil" / "kedro" / "forecasts").iterdir())
    assert [file.name for file in files] == [f"{series}.parquet" for series in sorted(SERIES)]
    table = pl.read_parquet(files[0])
    counts = table.group_by("series", "kind", maintain_order=True).len().rows()
    assert counts == [("belem", "heldout", 12), ("belem", "ahead", 12)]


def test_train_alone_makes_children_and_the_report_can_follow(deployment: Deployment, whole: Run) -> None:
    trained = deployment.run("--pipelines", "climate_brazil.train", series_artifacts="[]", log_artifacts="false")
    assert trained is not None
    assert trained.info.status == "FINISHED"
    children = deployment.children(trained)
    assert set(children) == set(SERIES.values())
    assert all(deployment.artifacts(child) == set() for child in children.values())
    # The same data and seed give the same scores, whichever pipeline trained.
    earlier = deployment.children(whole)
    for name, child in children.items():
        assert {key: child.data.metrics[key] for key in METRICS} == {
            key: earlier[name].data.metrics[key] for key in METRICS
        }

    report = deployment.run("--from-nodes", "report")
    assert report is not None
    assert report.info.status == "FINISHED"
    assert {key: report.data.metrics[key] for key in METRICS} == {key: whole.data.metrics[key] for key in METRICS}
    assert "report/report.html" in deployment.artifacts(report)
    assert deployment.children(report) == {}


def test_batch_forecasts_come_from_a_registered_version(deployment: Deployment, whole: Run) -> None:
    run = deployment.run(
        "--pipelines", "climate_brazil.forecast", n_ahead=18, forecast_with="climate-brazil@challenger"
    )
    assert run is not None
    assert run.info.status == "FINISHED"
    assert run.data.tags["model_version"] == whole.data.tags["model_version"] == "climate-brazil/1"
    assert deployment.artifacts(run) == {"forecasts/batch_forecasts.parquet"}
    path = deployment.client.download_artifacts(run.info.run_id, "forecasts/batch_forecasts.parquet")
    table = pl.read_parquet(path)
    assert table.columns == ["series", "date", "mean", "low_80", "high_80", "q10", "q50", "q90"]
    assert table.group_by("series").len().sort("series").rows() == [("belem", 18), ("rio", 18)]
    assert str(table["date"].min()) == "2019-11-01"
    assert table.filter(~(pl.col("low_80") < pl.col("mean")) | ~(pl.col("mean") < pl.col("high_80"))).is_empty()


def test_use_mlflow_false_makes_no_run(deployment: Deployment, whole: Run) -> None:
    before = {run.info.run_id for run in deployment.runs()}
    parameters = f"use_mlflow=false,climate_brazil.stations={deployment.stations}"
    # A server that nobody runs: one call would fail.
    done = deployment.kedro("run", "--params", parameters, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Retraining for October 2019" in done.stdout
    assert {run.info.run_id for run in deployment.runs()} == before


def test_a_bad_parameter_stops_the_command_before_anything_is_made(deployment: Deployment, tmp_path: Path) -> None:
    fresh = Deployment(tmp_path / "var", deployment.stations)
    done = fresh.kedro("run", "--params", "climate_brazil.n_ahead=601,climate_brazil.sead=1")
    assert done.returncode == 1
    assert "climate_brazil.n_ahead = 601: Input should be less than or equal to 600" in done.stderr
    assert "climate_brazil.sead: unknown key; allowed here:" in done.stderr
    assert not fresh.var.exists()


def free_port() -> int:
    # Kedro-Viz refuses the ports that the system hands out by itself (above 49151).
    for port in range(24100, 24200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port between 24100 and 24200")


@pytest.fixture(scope="module")
def viz(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The command of `make viz`, on a free port; its address."""
    recipe = subprocess.run(["make", "-n", "viz"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (command,) = re.findall(r"kedro viz run.*", recipe)
    port = free_port()
    log = tmp_path_factory.mktemp("viz") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command.split(), "--port", str(port)],
            cwd=PROJECT,
            env=deployment.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api/main", timeout=5).close()
                    break
                except urllib.error.URLError:
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.25)
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=20)


def test_viz_serves_the_pipelines_on_loopback(viz: str) -> None:
    with urllib.request.urlopen(f"{viz}/api/main", timeout=30) as answer:
        shown = json.load(answer)
    parts = {f"climate_brazil.{part}" for part in ("train", "forecast", "data_processing")}
    assert {"climate_brazil", *parts} <= {one["id"] for one in shown["pipelines"]}
    # Nothing listens on other addresses of this machine.
    port = int(viz.rsplit(":", 1)[1])
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    addresses = {row.split()[1].split(":")[0] for row in listening if row.split()[1].endswith(f":{port:04X}")}
    assert addresses == {"0100007F"}
