"""`kedro run --pipelines movie_recommender`, in a process of its own, on the simulated sample."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.deployment import ROOT, deployment_environment
from tests.fixtures.templates import EmptyStore

PROJECT = ROOT / "kedro_project"
# MLflow about a class of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")
BASELINES = ("global_mean", "item_bias", "popularity")


@dataclass(frozen=True)
class Deployment:
    """A deployment folder with its own store, in which `kedro` can be called."""

    var: Path

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.var}/mlflow/mlflow.db")

    @property
    def data(self) -> Path:
        return self.var / "data" / "movie_recommender" / "kedro"

    def kedro_run(self, *parameters: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "RETRAINING_"))}
        environment = {
            **kept,
            **deployment_environment(self.var),
            "KEDRO_LOGGING_CONFIG": str(PROJECT / "conf" / "logging.yml"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        command = ["kedro", "run", "--pipelines", "movie_recommender", "--params", ",".join(parameters)]
        return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=600)

    def runs(self, query: str = "") -> list[Run]:
        experiment = self.client.get_experiment_by_name("movie_recommender")
        return list(self.client.search_runs([experiment.experiment_id], query)) if experiment else []

    def artifacts(self, run: Run, folder: str | None = None) -> set[str]:
        found: set[str] = set()
        for file in self.client.list_artifacts(run.info.run_id, folder):
            found |= self.artifacts(run, file.path) if file.is_dir else {file.path}
        return found


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, empty_store: EmptyStore) -> Deployment:
    var = tmp_path_factory.mktemp("movies") / "var"
    empty_store(var)
    return Deployment(var)


@pytest.fixture(scope="module")
def whole(deployment: Deployment) -> Run:
    """The run on the sample as shipped, which everything else here builds on."""
    done = deployment.kedro_run("movie_recommender.cutoff=2024-09-01")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (run,) = deployment.runs()
    return run


def test_the_run_is_in_an_experiment_of_its_own_and_named_after_its_month(deployment: Deployment, whole: Run) -> None:
    assert (whole.info.run_name, whole.info.status) == ("movie_recommender 2024-08", "FINISHED")
    # The other one keeps the moves of the registered model's champion.
    assert {one.name for one in deployment.client.search_experiments() if one.name != "Default"} == {
        "movie_recommender",
        "movie-recommender-champions",
    }
    assert (whole.data.tags["simulated"], whole.data.tags["data_source"]) == ("true", "simulated sample")
    assert {"git_commit", "cutoff", "newest_observation", "model"} <= whole.data.tags.keys()
    (table,) = whole.inputs.dataset_inputs
    assert (table.dataset.name, bool(table.dataset.digest)) == ("movie_recommender", True)


def test_the_model_beats_every_baseline_on_the_sample(whole: Run) -> None:
    metrics = whole.data.metrics
    for baseline in BASELINES:
        assert metrics["rmse"] < 0.9 * metrics[f"rmse_{baseline}"]
        assert metrics["recall_at_20"] > 1.1 * metrics[f"recall_at_20_{baseline}"]
        assert metrics["ndcg_at_20"] > 1.1 * metrics[f"ndcg_at_20_{baseline}"]
    # Noise of 0.5 and rounding leave 0.58 that nobody can explain.
    assert 0.58 < metrics["rmse"] < 0.75


def test_parameters_are_those_of_the_nodes(whole: Run) -> None:
    wanted = {"test_size": "0.2", "random_state": "20241201", "model.factors": "32", "model.regularisation": "0.05"}
    wanted |= {"top_n": "20", "max_reject_share": "0.05", "cutoff": "2024-09-01"}
    assert {f"movie_recommender.{name}": value for name, value in wanted.items()}.items() <= whole.data.params.items()


def test_artifacts_are_report_picture_model_and_recommendations_without_a_pickle(
    deployment: Deployment, whole: Run
) -> None:
    files = deployment.artifacts(whole)
    assert {
        "report/report.html",
        "report/summary.txt",
        "report/report.parquet",
        "report/rejects.csv",
        "figures/metrics.png",
        "factors/model.npz",
        "recommendations/top_n.parquet",
    } <= files
    assert not [file for file in files if file.endswith((".pkl", ".pickle", ".joblib"))]
    folder = Path(deployment.client.download_artifacts(whole.info.run_id, ""))
    with np.load(folder / "factors" / "model.npz", allow_pickle=False) as arrays:
        assert arrays["user_factors"].shape == (1200, 32)
    lists = pl.read_parquet(folder / "recommendations" / "top_n.parquet")
    assert lists.group_by("user").len()["len"].unique().to_list() == [20]
    assert lists["user"].n_unique() == 1201
    rejects = pl.read_csv(folder / "report" / "rejects.csv")
    assert set(rejects["reason"]) == {"fields", "time", "user", "request", "minute", "rating"}
    assert rejects.height == whole.data.metrics["n_rejected"]
    # The newest line of the sample is cut off.
    assert rejects.row(-1)[0] == whole.data.metrics["n_lines"]


def test_a_version_is_registered_judged_and_served(
    deployment: Deployment, whole: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = deployment.client.get_model_version_by_alias("movie-recommender", "champion")
    assert (version.run_id, version.tags["cutoff"]) == (whole.info.run_id, "2024-09-01")
    assert whole.data.tags["promotion"].startswith("promoted: all 3 rules that apply are met")
    files = deployment.artifacts(whole)
    assert "promotion/decision.md" in files
    folder = Path(deployment.client.download_artifacts(whole.info.run_id, "promotion"))
    decision = json.loads((folder / "decision.json").read_text())
    # What a person would see who approves: baselines beside the model, and a picture that is there.
    assert "| rmse | 0." in decision["text"]
    assert set(decision["scores"][0]["baselines"]) == {"global_mean", "item_bias", "popularity"}
    assert decision["pictures"]
    assert set(decision["pictures"].values()) <= files
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{deployment.var}/mlflow/mlflow.db")
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    monkeypatch.setattr(mlflow.tracking._model_registry.utils, "_registry_uri", None)
    served = mlflow.pyfunc.load_model("models:/movie-recommender@champion")
    lists = pl.read_parquet(deployment.data / "top_n.parquet")
    for user, name in ((1000, "own"), (99, "popular")):
        answer = served.predict([{"user": user, "n": 20}])
        known = lists.filter(pl.col("user") == user if name == "own" else pl.col("user").is_null())
        assert answer["movie"].tolist() == known["movie"].to_list()
        assert set(answer["list"]) == {name}


def test_runs_are_found_by_their_metrics(deployment: Deployment, whole: Run) -> None:
    rmse = whole.data.metrics["rmse"]
    found = deployment.runs(f"metrics.rmse < {rmse + 0.001} and metrics.recall_at_20 > 0.2")
    assert whole.info.run_id in {run.info.run_id for run in found}
    assert deployment.runs(f"metrics.rmse < {rmse - 0.1}") == []


def test_the_same_seed_scores_the_same_and_without_tracking_no_run_is_made(deployment: Deployment, whole: Run) -> None:
    again = deployment.kedro_run("movie_recommender.cutoff=2024-09-01,use_mlflow=false")
    assert again.returncode == 0, again.stderr[-2000:]
    scores = json.loads((deployment.data / "scores.json").read_text())
    assert scores["models"]["model"]["rmse"] == pytest.approx(whole.data.metrics["rmse"], abs=1e-6)
    assert [run.info.run_id for run in deployment.runs()] == [whole.info.run_id]  # tracking was off


def test_too_many_rejects_fail_the_run_and_are_kept(deployment: Deployment, whole: Run) -> None:
    done = deployment.kedro_run("movie_recommender.max_reject_share=0.001")
    assert done.returncode == 1
    assert "more than max_reject_share 0.1% allows: fields" in " ".join((done.stdout + done.stderr).split())
    newest = deployment.runs()[0]
    assert (newest.info.status, newest.data.tags["error_type"]) == ("FAILED", "TooManyRejectsError")
    # Parameters of the node that ran are there, those of later nodes are not.
    assert newest.data.params["movie_recommender.max_reject_share"] == "0.001"
    assert "movie_recommender.test_size" not in newest.data.params
    rejects = pl.concat(pl.read_csv(part) for part in (deployment.data / "rejects").glob("*.csv"))
    assert rejects.height == whole.data.metrics["n_rejected"]
