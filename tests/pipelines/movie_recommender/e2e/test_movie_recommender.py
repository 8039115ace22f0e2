"""`make retrain DAG=movie_recommender`: one DAG run with its own parent run, and its last lines."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LAST_LINE = re.compile(r"retrain: state=success parent_run_id=(?P<run>[0-9a-f]{32}) tracking_uri=(?P<uri>\S+)")
TABLE = re.compile(r"^(model|item bias|popularity|global mean) +(\d\.\d{3}) +(\d\.\d{3}) +(\d\.\d{3})$", re.M)
TASKS = [
    "keep_stream",
    "process_kafka",
    "aggregate_ratings",
    "normalize_minutes",
    "train_and_evaluate",
    "top_n",
    "report",
]


def retrain(deployment, *settings: str) -> subprocess.CompletedProcess[str]:
    options = [part for setting in settings for part in ("--set", setting)]
    return subprocess.run(
        [sys.executable, "-m", "tracked_kedro", "retrain", "--dag", "movie_recommender", *options],
        env=deployment.environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def scores(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[float, ...]]:
    return {row[0]: tuple(map(float, row[1:])) for row in TABLE.findall(done.stdout)}


@pytest.fixture(scope="module")
def on_the_sample(new_deployment: Callable):
    deployment = new_deployment()
    return deployment, retrain(deployment)


def test_the_sample_ends_with_the_table_and_the_line_for_machines(on_the_sample) -> None:
    deployment, done = on_the_sample
    assert done.returncode == 0, done.stdout + done.stderr
    told = LAST_LINE.fullmatch(done.stdout.rstrip().splitlines()[-1])
    assert told, done.stdout
    assert told["uri"] == deployment.environment["MLFLOW_TRACKING_URI"]
    assert "Cutoff 2024-09-01: the month after the newest observation" in done.stdout
    assert "Retraining for August 2024, views and ratings before 2024-09-01 · simulated sample" in done.stdout
    table = scores(done)
    assert list(table) == ["model", "item bias", "popularity", "global mean"]
    model = table.pop("model")
    for other in table.values():
        assert model[0] < other[0]
        assert model[1] > other[1]
        assert model[2] > other[2]


def test_every_task_logged_to_one_parent_run(on_the_sample) -> None:
    deployment, done = on_the_sample
    told = LAST_LINE.search(done.stdout)
    assert told, done.stdout
    run = deployment.client.get_run(told["run"])
    assert (run.info.run_name, run.info.status) == ("movie_recommender 2024-08", "FINISHED")
    assert run.data.tags["airflow.dag_id"] == "movie_recommender"
    assert deployment.client.get_experiment(run.info.experiment_id).name == "movie_recommender"
    assert len(deployment.client.search_runs([run.info.experiment_id])) == 1
    for task in TASKS:
        assert re.search(rf"^ +\d+\.\d s  task \d+ of \d+  {task}$", done.stdout, re.M), task
    assert {"rmse", "rmse_popularity", "n_rejected"} <= run.data.metrics.keys()
    wanted = {"movie_recommender.test_size", "movie_recommender.random_state", "movie_recommender.model.factors"}
    assert wanted <= run.data.params.keys()
    assert {"report/report.html", "figures/metrics.png", "factors/model.npz"} <= deployment.artifacts(run)


@pytest.mark.full
def test_the_real_stream(new_deployment: Callable, real_data: Path) -> None:
    stream = real_data / "movies" / "kafka_stream.csv"
    if not stream.is_file():
        pytest.skip(f"needs the real stream, and {stream} is absent (RETRAINING_TEST_DATA)")
    done = retrain(new_deployment(), f"movies={stream}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Cutoff 2025-01-01" in done.stdout
    words = " ".join(done.stdout.split())
    assert "35,126 lines: 3,000 views, 32,123 ratings, 0 recommendation requests, 3 rejected" in words
    assert "34,889 pairs of 34,088 users and 10,695 movies" in words
    table = scores(done)
    assert 1.0 < table["model"][0] < table["global mean"][0]
    # Where the model does not win, the report says so and why.
    assert "but not better than item bias" in words
    assert "Why: 98 % of the users have watched or rated one movie only" in words
    assert LAST_LINE.fullmatch(done.stdout.rstrip().splitlines()[-1])


def test_a_missing_stream_is_refused_before_work_starts(new_deployment: Callable, tmp_path: Path) -> None:
    done = retrain(new_deployment(), f"movies={tmp_path / 'absent.csv'}")
    assert done.returncode == 1
    assert "absent.csv is not there; name a file or folder with MOVIES=" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "task open_run" not in done.stdout
