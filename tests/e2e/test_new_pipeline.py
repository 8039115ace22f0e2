"""`make new-pipeline`: what it makes runs at once, and what it refuses leaves nothing behind."""

from __future__ import annotations

import re
import subprocess

import pytest
from mlflow.tracking import MlflowClient
from tests.e2e.clones import Clone, clone

NAME = "taxi_fares"
LAST_LINE = re.compile(r"^retrain: state=success parent_run_id=([0-9a-f]{32}) tracking_uri=(\S+)$", re.M)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def scaffolded(empty: Clone) -> tuple[Clone, subprocess.CompletedProcess[str], set[str]]:
    """The clone after the command, what it said, and the paths that are new."""
    before = empty.digests()
    done = empty.run(f"make new-pipeline NAME={NAME}")
    assert done.returncode == 0, done.stderr
    return empty, done, empty.digests().keys() - before.keys()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Which name? make new-pipeline NAME=rents"),
        ("Taxi", "'Taxi' cannot be the name of a pipeline: use small letters"),
        ("import", "'import' cannot be the name of a pipeline"),
        ("taxi-fares", "'taxi-fares' cannot be the name of a pipeline"),
        ("../taxi", "'../taxi' cannot be the name of a pipeline"),
        ("t" * 51, "it has 51 characters"),
        ("climate_brazil", "There is a pipeline climate_brazil already"),
        ("refresh", "There is a pipeline refresh already"),
        ("promotion", "pipelines/promotion exists already"),
    ],
)
def test_a_name_that_cannot_be_used_leaves_nothing_behind(empty: Clone, name: str, words: str):
    before = empty.digests()
    done = empty.run(f"PYTHONPATH=plugins:kedro_project/src .venv/bin/python -m retraining new-pipeline '{name}'")
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.rstrip().endswith("Nothing was written.")
    assert "Traceback" not in done.stderr
    assert empty.digests() == before


def test_it_says_what_it_made_and_what_to_run_next(scaffolded: tuple):
    _, done, new = scaffolded
    assert set(re.findall(r"^made (\S+)$", done.stdout, re.M)) == new
    assert len(new) == 7
    assert "added a block to kedro_project/conf/base/airflow.yml" in done.stdout
    assert f"make dags && make retrain DAG={NAME}" in done.stdout


def test_it_is_in_the_project_s_style(scaffolded: tuple):
    made, _, new = scaffolded
    files = " ".join(sorted(path for path in new if path.endswith(".py")))
    done = made.run(f"source .venv/bin/activate; ruff check {files} && ruff format --check {files}")
    assert done.returncode == 0, done.stdout


def test_its_first_test_passes(scaffolded: tuple):
    made, *_ = scaffolded
    done = made.run(f"source .venv/bin/activate; pytest --no-cov -q tests/unit/pipelines/{NAME}")
    assert done.returncode == 0, done.stdout


def test_it_runs_at_once(scaffolded: tuple):
    made, *_ = scaffolded
    done = made.run(f"make dags && make retrain DAG={NAME}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^{NAME}: RMSE 0\.\d+ on 20 held-out rows$", done.stdout, re.M)
    parent, store = LAST_LINE.search(done.stdout).groups()
    client = MlflowClient(store)
    run = client.get_run(parent)
    assert run.info.status == "FINISHED"
    assert client.get_experiment(run.info.experiment_id).name == NAME
    assert run.data.params["taxi_fares.test_share"] == "0.2"
    assert 0 < run.data.metrics["rmse"] < 1.5
    assert [item.path for item in client.list_artifacts(parent, "model")] == ["model/model.json"]


def test_a_second_one_of_the_same_name_is_refused(scaffolded: tuple):
    made, *_ = scaffolded
    before = made.digests()
    done = made.run(f"make new-pipeline NAME={NAME}")
    assert done.returncode != 0
    assert f"There is a pipeline {NAME} already. Nothing was written." in done.stderr
    assert made.digests() == before
