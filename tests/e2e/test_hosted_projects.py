"""Three strangers' projects, hosted as they are: no file of theirs changes, ten lines of YAML each."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from operations.native.ports import free_port
from tests.fixtures.clones import Clone, clone

pytestmark = [pytest.mark.full, pytest.mark.slow]

BLOCKS = {
    "spaceflights": """
spaceflights:
  project: tests/projects/spaceflights
  schedule: "0 6 * * 1"
  track:
    metrics: [metrics, cv_scores]
    artifacts: [shuttle_plot, confusion_matrix]
    model: {dataset: regressor, name: spaceflights-regressor}
  promotion: {rules: [{metric: r2_score, direction: higher, reference: champion, tolerance: {absolute: 0.02}}]}
""",
    "sensors": """
sensors:
  project: tests/projects/sensors
  track:
    metrics: [summary, north.score]
    artifacts: [summary, daily@pandas, days]
    model: {dataset: north.line, name: sensors-north}
  promotion: {rules: [{metric: worse, direction: higher, reference: 0.1}]}
""",
    "harvest": """
harvest:
  project: tests/projects/harvest
  env: prod
  params: {year: {minimum: 2000}}
  kedro_parameters: {year: year}
  make: {YEAR: year}
  track:
    artifacts: [lines]
    model: {dataset: yield_model, name: harvest-yield, allow_pickle: true}
""",
}
LAST_LINE = re.compile(r"^retrain: state=(\w+) parent_run_id=([0-9a-f]{32}) tracking_uri=(\S+)", re.M)


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, str]:
    """A deployment that hosts all three, and what `make dags` said."""
    made = clone(tmp_path_factory.mktemp("clone"))
    for name, block in BLOCKS.items():
        assert len(block.strip().splitlines()) <= 10
        file = made.root / "kedro_project" / "conf" / "base" / name / "airflow.yml"
        file.parent.mkdir()
        file.write_text(block)
    done = made.run("make dags")
    assert done.returncode == 0, done.stdout + done.stderr
    return made, done.stdout


def retrained(made: Clone, command: str) -> Any:
    before = made.digests()
    done = made.run(f"make retrain {command}")
    assert done.returncode == 0, done.stdout + done.stderr
    after = made.digests()
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == set()
    assert not list((made.root / "tests" / "projects").rglob("0[2-8]_*"))
    found = LAST_LINE.search(done.stdout)
    assert found and found.group(1) == "success", done.stdout
    return MlflowClient(found.group(3)), found.group(2)


def artifacts(client: MlflowClient, run_id: str, folder: str | None = None) -> set[str]:
    return {one.path for one in client.list_artifacts(run_id, folder)}


def test_the_starters_spaceflights_is_tracked_promoted_and_served(hosted: tuple[Clone, str]):
    made, said = hosted
    assert "spaceflights: grouped by memory, for X_test, X_train, y_test, y_train" in said
    client, run_id = retrained(made, "DAG=spaceflights")
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["r2_score"] > 0.9 and run.data.metrics["cv.mean"] > 0.9
    assert run.data.params["model_options.test_size"] == "0.2"
    assert run.data.tags["lock_digest"] and run.data.tags["python_version"]
    assert artifacts(client, run_id) == {"confusion_matrix", "inputs", "model", "promotion", "shuttle_plot"}
    assert artifacts(client, run_id, "shuttle_plot") == {"shuttle_plot/shuttle_plot.png"}
    assert client.get_model_version_by_alias("spaceflights-regressor", "champion").run_id == run_id
    features = {"engines": 2, "passenger_capacity": 10, "crew": 3, "review_scores_rating": 90.0, "company_rating": 0.9}
    assert answered(made, "spaceflights", features) == pytest.approx(2590, rel=0.2)


def test_namespaces_factories_transcoding_and_partitions_run_in_order(hosted: tuple[Clone, str]):
    made, _ = hosted
    client, run_id = retrained(made, "DAG=sensors")
    run = client.get_run(run_id)
    assert run.data.metrics.keys() == {"north", "south", "worse", "north.score"}
    assert artifacts(client, run_id) == {"daily.pandas", "days", "inputs", "model", "promotion", "summary"}
    assert len(artifacts(client, run_id, "days")) == 20
    assert client.get_model_version_by_alias("sensors-north", "champion").run_id == run_id
    assert answered(made, "sensors", {"day": 10}) == pytest.approx(10, abs=1)


def test_own_hooks_resolver_dataset_environment_and_kedro_mlflow_stay_in_force(hosted: tuple[Clone, str]):
    made, _ = hosted
    client, run_id = retrained(made, "DAG=harvest YEAR=2023")
    run = client.get_run(run_id)
    assert run.data.tags["season_hook"] == "was here"
    assert run.data.params["year"] == "2023"
    assert run.data.metrics["mean_error"] < 1
    (lines,) = artifacts(client, run_id, "lines")
    stored = client.download_artifacts(run_id, lines)
    assert Path(stored).read_text().endswith("BY THE HARVEST MODEL")
    assert client.get_model_version_by_alias("harvest-yield", "challenger").run_id == run_id
    (pickled,) = (made.root / "var" / "data" / "harvest").glob("*/data/06_models/*")
    assert pickled.name == "season_2024.pickle", "conf/prod and the resolver have named it"


def answered(made: Clone, dag: str, record: dict[str, Any]) -> float:
    """What the champion of a DAG answers to one record; its block names the model."""
    port = free_port()
    command = ["make", "serve", f"DAG={dag}", f"PORT={port}"]
    with subprocess.Popen(
        command, cwd=made.root, env=made.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stdout is not None
        said = next((line for line in server.stdout if "Serving" in line), "")
        assert said
        body = json.dumps({"dataframe_records": [record]}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        try:
            for _ in range(100):
                try:
                    with urllib.request.urlopen(request) as response:
                        return float(json.load(response)["predictions"][0])
                except urllib.error.URLError:
                    time.sleep(0.1)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
    raise AssertionError("no answer")
