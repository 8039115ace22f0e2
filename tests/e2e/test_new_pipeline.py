"""`make new-pipeline` and `make delete-pipeline`: what is made runs at once, and goes without a trace."""

from __future__ import annotations

import re
import subprocess

import pytest
from mlflow.tracking import MlflowClient

from tests.fixtures.clones import Clone, clone

NAME = "taxi_fares"
LAST_LINE = re.compile(r"^retrain: state=success parent_run_id=([0-9a-f]{32}) tracking_uri=(\S+)$", re.M)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def scaffolded(empty: Clone) -> tuple[Clone, subprocess.CompletedProcess[str], set[str]]:
    """The clone after the command, its output, and the paths that are new."""
    before = empty.digests()
    done = empty.run(f"make new-pipeline NAME={NAME}")
    assert done.returncode == 0, done.stderr
    return empty, done, empty.digests().keys() - before.keys()


@pytest.mark.parametrize("name", ["", "../taxi"])
def test_a_name_that_cannot_be_used_leaves_nothing_behind(empty: Clone, name: str):
    before = empty.digests()
    done = empty.run(f"make new-pipeline NAME='{name}'")
    assert done.returncode != 0
    assert re.search(r"^Error: .* Nothing was written\.$", done.stderr, re.M)
    assert "Traceback" not in done.stderr
    assert empty.digests() == before


def test_it_reports_what_it_made_and_what_to_run_next(scaffolded: tuple):
    _, done, new = scaffolded
    assert set(re.findall(r"^made (\S+)$", done.stdout, re.M)) == new
    assert {path.rpartition("/")[0] for path in new} == {
        f"kedro_project/src/retraining/pipelines/{NAME}",
        f"kedro_project/conf/base/{NAME}",
        f"tests/pipelines/{NAME}",
    }
    assert f"make dags && make retrain DAG={NAME}" in done.stdout
    assert f"make delete-pipeline NAME={NAME}" in done.stdout


def test_it_is_in_the_project_s_style(scaffolded: tuple):
    made, _, new = scaffolded
    files = " ".join(sorted(path for path in new if path.endswith(".py")))
    done = made.run(f"source .venv/bin/activate; ruff check {files} && ruff format --check {files}")
    assert done.returncode == 0, done.stdout


def test_its_first_test_passes(scaffolded: tuple):
    made, *_ = scaffolded
    done = made.run(f"source .venv/bin/activate; pytest -q tests/pipelines/{NAME}")
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
    assert re.search(rf"There is a pipeline {NAME} already \(.*\). Nothing was written\.", done.stderr)
    assert made.digests() == before


def test_the_variable_of_make_that_its_block_declares_reaches_it(scaffolded: tuple):
    made, *_ = scaffolded
    done = made.run(f"make retrain DAG={NAME} TEST_SHARE=0.9")
    assert done.returncode != 0
    assert "TEST_SHARE: 0.9 is greater than the maximum of 0.5" in done.stdout + done.stderr


def test_deleting_it_leaves_everything_as_it_was(scaffolded: tuple):
    """The last test: what is deleted are the three folders, and its DAG goes with them."""
    made, _, new = scaffolded
    before = made.digests()
    done = made.run(f"make delete-pipeline NAME={NAME}")
    assert done.returncode == 0, done.stderr
    assert f"removed {made.root / 'dags' / f'{NAME}_dag.py'}" in done.stdout
    gone = {*new, f"dags/{NAME}_dag.py"}
    assert made.digests() == {path: digest for path, digest in before.items() if path not in gone}
    refused = made.run(f"make delete-pipeline NAME={NAME}")
    assert refused.returncode != 0
    assert f"There is no pipeline '{NAME}'; known are " in refused.stderr
    assert "Nothing was removed." in refused.stderr


@pytest.mark.full
def test_kedro_s_own_commands_work_and_what_they_leave_is_named(empty: Clone):
    """In `make shell`: without its switches kedro-telemetry would note the project in pyproject.toml, and report it."""
    before = empty.digests()
    declared = (empty.root / "kedro_project" / "pyproject.toml").read_bytes()
    asked = "kedro pipeline create fares; kedro registry list"
    done = empty.run(f"make shell <<< '{asked}'")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^- fares$", done.stdout, re.M)
    done = empty.run("make shell <<< 'kedro pipeline delete --yes fares'")
    assert done.returncode == 0, done.stdout + done.stderr
    assert empty.digests() == before
    done = empty.run("make new-pipeline NAME=rides; make shell <<< 'kedro pipeline delete --yes rides'; make dags")
    assert done.returncode != 0
    assert "conf/base/rides is left over: " in done.stderr
    done = empty.run("make delete-pipeline NAME=rides")
    assert done.returncode == 0, done.stdout + done.stderr
    assert empty.digests() == before
    assert (empty.root / "kedro_project" / "pyproject.toml").read_bytes() == declared
