"""docs/bring-your-own.md, followed word for word in a copy of the repository."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from operations.native.ports import free_port
from tests.deployment import ROOT
from tests.fixtures.clones import Clone, clone

BLOCK = re.compile(r"^(?:`([^`\n]+)`:\n\n)?```(\w+)\n(.*?)^```$", re.M | re.S)
FOLDERS = ("kedro_project/src/retraining/pipelines/rents/", "kedro_project/conf/base/rents/", "tests/pipelines/rents/")
LAST_LINE = re.compile(r"^retrain: state=success parent_run_id=([0-9a-f]{32}) tracking_uri=(\S+)", re.M)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, list[str], dict[str, str]]:
    """The clone after every step up to the run: outputs of the commands, and the files as they were before."""
    made = clone(tmp_path_factory.mktemp("clone"))
    before, outputs = made.digests(), []
    for path, language, text in steps():
        if path:
            target = made.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        elif "5005" in text:
            break
        else:
            assert language == "sh", text
            done = made.run(text)
            assert done.returncode == 0, done.stdout + done.stderr
            outputs.append(done.stdout)
    return made, outputs, before


def steps() -> list[tuple[str, str, str]]:
    return BLOCK.findall((ROOT / "docs" / "bring-your-own.md").read_text())


def parent_and_client(outputs: list[str]) -> tuple[str, MlflowClient]:
    found = LAST_LINE.search(outputs[-1])
    assert found, outputs[-1]
    return found.group(1), MlflowClient(found.group(2))


def test_a_pipeline_is_three_folders_and_no_other_file_changes(followed: tuple):
    made, _, before = followed
    after = made.digests()
    assert {name for name in before if after.get(name) != before[name]} == set()
    new = after.keys() - before.keys()
    assert {name for name in new if not name.startswith(FOLDERS)} == {"dags/rents_dag.py"}
    assert all(any(name.startswith(folder) for name in new) for folder in FOLDERS)


def test_its_own_test_passes(followed: tuple):
    made, *_ = followed
    done = made.run("source .venv/bin/activate; pytest -q tests/pipelines/rents")
    assert done.returncode == 0, done.stdout


def test_what_is_dropped_in_is_in_the_project_s_style(followed: tuple):
    made, *_ = followed
    # Not `.`: a copy is no repository, whose ignored files ruff would leave alone.
    folders = "dags kedro_project tests"
    done = made.run(f"source .venv/bin/activate; ruff check {folders} && ruff format --check {folders}")
    assert done.returncode == 0, done.stdout
    done = made.run("source .venv/bin/activate; lint-imports")
    assert done.returncode == 0, done.stdout


def test_the_run_is_one_parent_that_every_task_has_resumed(followed: tuple):
    made, outputs, _ = followed
    parent, client = parent_and_client(outputs)
    run = client.get_run(parent)
    assert run.info.status == "FINISHED"
    assert client.get_experiment(run.info.experiment_id).name == "rents"
    assert run.data.tags["airflow.dag_id"] == "rents"
    assert run.data.metrics["rmse"] < run.data.metrics["rmse_mean"] / 4
    # Logged by the nodes that read them, each in a task of its own.
    assert {"rents.test_share", "rents.seed", "rents.promotion.mode"} <= set(run.data.params)
    log = next((made.root / "var" / "logs").glob("retrain-*.log")).read_text()
    pipeline = {"preprocess", "split", "train", "evaluate", "register", "decide", "promote"}
    assert set(re.findall(r"starting task_id=(\w+)", log)) == pipeline | {"open_run", "approve", "close_run"}


def test_the_first_version_is_champion(followed: tuple):
    _, outputs, _ = followed
    parent, client = parent_and_client(outputs)
    version = client.get_model_version_by_alias("rents", "champion")
    assert (version.version, version.run_id) == (1, parent)
    assert client.get_run(parent).data.tags["promotion"].startswith("promoted: ")
    assert "rmse at most rmse_mean" in client_text(client, parent, "promotion/decision.md")


def client_text(client: MlflowClient, run: str, path: str) -> str:
    return Path(client.download_artifacts(run, path)).read_text()


def test_the_page_shows_what_the_run_prints(followed: tuple):
    _, outputs, _ = followed
    (line,) = re.findall(r"^rents: RMSE .* held out$", outputs[-1], re.M)
    assert line in (ROOT / "docs" / "bring-your-own.md").read_text()


@pytest.fixture(scope="module")
def served(followed: tuple) -> Iterator[str]:
    """The page's own commands: the server, then the question; its answer."""
    made, _, _ = followed
    serve, ask = [text for *_, text in steps()][-2:]
    port = str(free_port())
    with (made.root / "serve.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-e", "-c", serve.replace("5005", port)],
            cwd=made.root,
            env=made.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        patient = ask.replace("5005", port).replace(
            "--silent", "--silent --retry 90 --retry-delay 1 --retry-connrefused"
        )
        done = made.run(patient)
        assert done.returncode == 0, (made.root / "serve.log").read_text()
        yield done.stdout
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def test_the_champion_answers_what_the_inference_pipeline_does(followed: tuple, served: str):
    _, outputs, _ = followed
    parent, client = parent_and_client(outputs)
    (version,) = client.search_model_versions("name='rents'")
    path = version.source.removeprefix(f"{client.get_run(parent).info.artifact_uri}/")
    regressor = json.loads(client_text(client, parent, f"{path}/artifacts/regressor.json"))
    expected = rent(regressor, 70, 3, 2.5)
    (answer,) = json.loads(served)["predictions"]
    assert answer == {"area": 70.0, "rooms": 3.0, "distance": 2.5, "rent": pytest.approx(expected, abs=1e-9)}


def test_no_pickle_is_among_the_models_files(followed: tuple):
    made, *_ = followed
    names = {path.name for path in (made.root / "var" / "mlflow" / "artifacts").rglob("*") if path.is_file()}
    assert {"MLmodel", "rents.py", "regressor.json"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]


def test_a_misspelt_parameter_is_refused_by_name(followed: tuple):
    made, _, _ = followed
    done = made.run("make shell <<< 'kedro run --pipelines rents --params rents.sead=1'")
    assert done.returncode != 0
    assert "rents.sead: unknown key; allowed here: promotion, seed, test_share" in done.stdout + done.stderr


PIPELINE_ML = """
from kedro_mlflow.pipeline import pipeline_ml_factory

from retraining.pipelines.rents import pipeline


def create_pipeline():
    options = {"signature": None}
    return pipeline_ml_factory(pipeline.training(), pipeline.inference(), "rents_features", log_model_kwargs=options)
"""
# The project is installed where this runs, and is not what answers; pickles are not permitted.
ASK = """
import sys, mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
assert "retraining" not in sys.modules, "the checkout answered"
print(model.predict(pd.DataFrame([{"area": 70, "rooms": 3, "distance": 2.5}]))["rent"][0])
"""


def test_a_pipeline_ml_of_kedro_mlflow_is_logged_as_code(followed: tuple):
    made, *_ = followed
    package = made.root / "kedro_project" / "src" / "retraining" / "pipelines" / "rents_ml"
    package.mkdir()
    (package / "__init__.py").write_text(PIPELINE_ML)
    done = made.run("make shell <<< 'kedro run --pipelines rents_ml'")
    assert done.returncode == 0, done.stdout + done.stderr
    (declared,) = (made.root / "var" / "mlflow" / "artifacts").glob("*/models/*/artifacts/MLmodel")
    (made.root / "ask.py").write_text(ASK)
    done = made.run(f"MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false .venv/bin/python -P ask.py {declared.parent}")
    assert done.returncode == 0, done.stderr
    regressor = json.loads(next(declared.parent.rglob("rents_regressor.json")).read_text())
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(rent(regressor, 70, 3, 2.5), abs=1e-9)
    assert not list((made.root / "var" / "mlflow" / "artifacts").rglob("*.pkl"))


def rent(regressor: dict, area: float, rooms: float, distance: float) -> float:
    slopes = regressor["slopes"]
    return regressor["intercept"] + area * slopes["area"] + rooms * slopes["rooms"] + distance * slopes["distance"]


def test_without_airflow_the_next_version_is_held_against_the_champion(followed: tuple):
    made, outputs, _ = followed
    _, client = parent_and_client(outputs)
    done = made.run("make shell <<< 'kedro run --pipelines rents'")
    assert done.returncode == 0, done.stdout + done.stderr
    aliases = client.get_registered_model("rents").aliases
    assert {name: int(version) for name, version in aliases.items()} == {"champion": 2, "challenger": 2, "previous": 1}
    run = client.get_model_version("rents", "2").run_id
    assert "rmse at most champion + 5 %" in client_text(client, run, "promotion/decision.md")
