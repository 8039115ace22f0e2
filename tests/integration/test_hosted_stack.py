"""Two hosted projects whose locks contradict each other, at once on the production stack, data in S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from operations.native import airflow
from operations.native.api import AirflowApi
from operations.native.errors import MissingPartError
from operations.native.stack import Stack, started_stack
from tests.fixtures.clones import Clone, clone
from tests.fixtures.hosted import write_stranger
from tests.fixtures.stack import folder_for_postgres, stack_environment

pytestmark = [pytest.mark.full, pytest.mark.slow]

WITHIN = 900
# Both hold only where each has the libraries of its own lock.
LOCKS = {
    "older": "kedro==1.0.0\nkedro-datasets[json-jsondataset]\ntoolz==0.12.1\n",
    "newer": "kedro==1.7.0\nkedro-datasets[json-jsondataset]\ntoolz==1.0.0\n",
}
REGISTRY = """
    import os
    import time
    from pathlib import Path

    import kedro
    import mlflow
    import toolz
    from kedro.pipeline import Pipeline, node


    def look():
        return {"toolz": toolz.__version__, "kedro": kedro.__version__, "environment": sorted(os.environ)}


    def meet(seen):
        place = Path(os.environ["MEETING"])
        (place / kedro.__version__).touch()
        # No guess at times: each waits until the other's task runs.
        for _ in range(600):
            if len(list(place.iterdir())) == 2:
                break
            time.sleep(1)
        mlflow.log_metric("met", len(list(place.iterdir())))
        mlflow.log_dict(seen, "seen.json")


    def register_pipelines():
        return {"__default__": Pipeline([node(look, None, "seen", name="look"), node(meet, "seen", None, name="meet")])}
"""
BLOCK = """
{name}:
  project: {folder}
  environment: own
  variables: [MEETING]
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A deployment that hosts both, each in an environment of its own."""
    made = clone(tmp_path_factory.mktemp("clone"))
    for name, lock in LOCKS.items():
        catalog = "seen: {type: json.JSONDataset, filepath: data/seen.json}\n"
        folder = write_stranger(made.root / "projects" / name, REGISTRY, package="same_name", catalog=catalog)
        (folder / "requirements.txt").write_text(lock)
        block = made.root / "kedro_project" / "conf" / "base" / name / "airflow.yml"
        block.parent.mkdir()
        block.write_text(BLOCK.format(name=name, folder=f"projects/{name}"))
    done = made.run("make environments && make dags", timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture(scope="module", params=[0, 2], ids=["LocalExecutor", "two Celery workers"])
def stack(request: pytest.FixtureRequest, deployment: Clone) -> Iterator[tuple[Stack, Path]]:
    """The stack of `make native` over it, and the folder in which tasks meet."""
    with folder_for_postgres() as folder:
        (meeting := folder / "meeting").mkdir()
        environment = {
            **stack_environment(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(deployment.root / "dags"),
            "KEDRO_PROJECT_PATH": str(deployment.root / "kedro_project"),
            "PYTHONPATH": deployment.environment["PYTHONPATH"],
            "RETRAINING_ENVIRONMENTS": str(deployment.root / "var" / "environments"),
            "MEETING": str(meeting),
        }
        try:
            with started_stack(folder, environment, workers=request.param) as running:
                yield running, meeting
        except MissingPartError as error:
            pytest.skip(f"needs the native stack: {error}")


def test_each_runs_with_its_own_libraries_while_the_other_does(
    stack: tuple[Stack, Path], monkeypatch: pytest.MonkeyPatch
):
    running, _ = stack
    for name, value in running.stores.mlflow.client_environment().items():
        monkeypatch.setenv(name, value)
    api = AirflowApi(running.airflow.address, airflow.USER, running.stores.secrets.airflow_admin)
    for name in LOCKS:
        api.trigger(name, "at_once", {})
    for name in LOCKS:
        assert api.wait(name, "at_once", within=WITHIN) == "success", api.tasks(name, "at_once")
    client = MlflowClient(running.stores.mlflow.address)
    for name, versions in {"older": ("1.0.0", "0.12.1"), "newer": ("1.7.0", "1.0.0")}.items():
        experiment = client.get_experiment_by_name(name)
        (run,) = client.search_runs([experiment.experiment_id])
        assert run.info.status == "FINISHED"
        assert run.data.metrics["met"] == 2
        assert (run.data.tags["environment"], run.data.tags["kedro_version"]) == ("own", versions[0])
        seen = client.download_artifacts(run.info.run_id, "seen.json")
        found = json.loads(Path(seen).read_text())
        assert (found["kedro"], found["toolz"]) == versions
        assert not [one for one in found["environment"] if one.startswith(("AIRFLOW", "RETRAINING", "BACKUP"))]
        assert not [one for one in found["environment"] if "SIGNING" in one or "FERNET" in one or "JWT" in one]
