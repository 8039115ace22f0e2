"""`make reproduce`: a run of a clean checkout is run again from what the store and the raw inputs keep."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.deployment import ROOT, deployment_environment
from tests.fixtures.templates import EmptyStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]
PARAMETERS = "climate_brazil.stations={stations},climate_brazil.n_ahead=4,climate_brazil.inference.draws=200"


@dataclass(frozen=True)
class Checkout:
    """A clean clone of this repository with one finished run, made from station files that are gone since."""

    code: Path
    var: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "RETRAINING_"))}
        paths = f"{self.code / 'plugins'}:{self.code / 'kedro_project' / 'src'}"
        return {**kept, **deployment_environment(self.var), "PYTHONPATH": paths, "KEDRO_LOGGING_CONFIG": ""}

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.environment["MLFLOW_TRACKING_URI"])

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.code / "kedro_project",
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=900,
        )

    def reproduce(self, *options: str, pipeline: str = "climate_brazil") -> subprocess.CompletedProcess[str]:
        return self.python("-m", "tracked_kedro", "reproduce", "--run", self.parent(pipeline).info.run_id, *options)

    def parent(self, pipeline: str = "climate_brazil") -> Run:
        return next(run for run in self.runs(pipeline) if "mlflow.parentRunId" not in run.data.tags)

    def runs(self, pipeline: str = "climate_brazil") -> list[Run]:
        return list(self.client.search_runs([self.client.get_experiment_by_name(pipeline).experiment_id]))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, empty_store: EmptyStore) -> Checkout:
    from retraining.pipelines.climate_brazil.stations.sample import station_text

    folder = tmp_path_factory.mktemp("checkout")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder / "code")], check=True, timeout=300)
    made = Checkout(folder / "code", folder / "var")
    empty_store(folder / "var")
    stations = folder / "stations"
    stations.mkdir()
    (stations / "station_belem.csv").write_text(station_text("belem"))
    done = made.python("-m", "kedro", "run", "--params", PARAMETERS.format(stations=stations))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    # The folder changes after the run, as a corrected file would make it.
    (stations / "station_belem.csv").write_text(station_text("rio"))
    return made


def test_a_run_comes_out_equal_though_its_folder_has_changed(checkout: Checkout):
    before = {run.info.run_id for run in checkout.runs()}
    done = checkout.reproduce()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "reproduce: equal"
    assert {run.info.run_id for run in checkout.runs()} == before, "nothing is added to the store"


@pytest.mark.full
def test_a_run_of_the_recommender_comes_out_equal_though_its_stream_is_gone(checkout: Checkout, tmp_path: Path):
    from retraining.pipelines.movie_recommender.stream.sample import RUNTIMES_FILE, write_sample

    sample = tmp_path / "sample"
    write_sample(sample)
    # One file, of a name of its own; the table of runtimes is another.
    stream, runtimes = tmp_path / "dump.log.csv.gz", tmp_path / "minutes.csv"
    stream.write_bytes(gzip.compress((sample / "kafka_stream.csv").read_bytes(), 1))
    runtimes.write_bytes((sample / RUNTIMES_FILE).read_bytes())
    given = {"movies": stream, "runtimes": runtimes, "model.factors": 4, "model.epochs": 3, "cutoff": "2024-09-01"}
    parameters = ",".join(f"movie_recommender.{name}={value}" for name, value in given.items())
    done = checkout.python("-m", "kedro", "run", "--pipelines", "movie_recommender", "--params", parameters)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    stream.unlink()
    runtimes.unlink()
    done = checkout.reproduce(pipeline="movie_recommender")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "reproduce: equal"


def test_a_difference_is_named(checkout: Checkout):
    child = next(run for run in checkout.runs() if run.data.tags.get("series") == "belem")
    was = child.data.metrics["rmse"]
    checkout.client.log_metric(child.info.run_id, "rmse", was + 0.01)
    done = checkout.reproduce()
    checkout.client.log_metric(child.info.run_id, "rmse", was)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"reproduce: belem, metric rmse was {was + 0.01}, is {was} (1 differences)" in done.stdout


def test_what_cannot_be_had_again_is_named_before_work_starts(checkout: Checkout):
    parent = checkout.parent()
    manifest = checkout.client.download_artifacts(parent.info.run_id, "inputs/raw_inputs.json")
    (digest,) = json.loads(Path(manifest).read_text())["files"].values()
    kept = checkout.var / "data" / "raw_inputs" / digest
    content = kept.read_bytes()

    def refused(undo: Callable[[], object], *options: str) -> str:
        done = checkout.reproduce(*options)
        undo()
        assert done.returncode == 1
        return done.stderr

    kept.write_bytes(b"changed")
    assert f"is not what was kept as {digest}" in refused(lambda: kept.write_bytes(content))
    client, run_id = checkout.client, parent.info.run_id
    client.set_tag(run_id, "git_dirty", "true")
    assert "changes that were not committed" in refused(lambda: client.set_tag(run_id, "git_dirty", "false"))
    commit = parent.data.tags["git_commit"]
    client.set_tag(run_id, "git_commit", "0" * 40)
    assert " is not in " in refused(lambda: client.set_tag(run_id, "git_commit", commit))
    done = checkout.python("-m", "tracked_kedro", "reproduce", "--run", "f" * 32)
    assert done.returncode == 1
    assert "not found" in done.stderr
