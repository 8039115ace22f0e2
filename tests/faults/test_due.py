"""What is due on a real scheduler: a month without news ends before it trains, and a person need not wait for it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.deployment import deployment_environment
from tests.fixtures.dags import rendered
from tests.fixtures.real_airflow import Airflow
from tests.fixtures.rents import write_project
from tests.fixtures.stack import PlainServer
from tests.fixtures.templates import Migrate
from tracked_kedro.names import DAG_RUN_ID_TAG, NOTHING_NEW_TAG
from tracked_kedro.promotion.registry import Registry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

# Due every minute, on rents that end in 2024: the second DAG run finds what the first has learnt.
SCHEDULE = {"schedule": "* * * * *", "max_age_months": None}


@pytest.fixture
def airflow(tmp_path: Path, plain_server: PlainServer, migrate: Migrate) -> Iterator[Airflow]:
    project = write_project(tmp_path / "lettings")
    block = project / "conf" / "base" / "rents" / "airflow.yml"
    written = yaml.safe_load(block.read_text())
    written["rents"] |= SCHEDULE
    block.write_text(yaml.safe_dump(written))
    (tmp_path / "signing_key").write_text(token_hex(32))
    environment = {
        **deployment_environment(tmp_path / "var"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "KEDRO_PROJECT_PATH": str(project),
        "PYTHONPATH": str(project / "src"),
        "MLFLOW_TRACKING_URI": plain_server.address,
        "MODEL_SIGNING_KEY_FILE": str(tmp_path / "signing_key"),
    }
    rendered(project, tmp_path / "dags", {**os.environ, **environment})
    migrate(environment)
    airflow = Airflow(tmp_path / "logs", environment)
    airflow.start("api-server", "scheduler", "dag-processor")
    yield airflow
    airflow.stop(*reversed(list(airflow.processes)))


def test_a_month_without_news_trains_nothing_and_whoever_asks_gets_a_training(
    airflow: Airflow, plain_server: PlainServer
) -> None:
    client = MlflowClient(plain_server.address, plain_server.address)
    registry = Registry("rents", client)
    airflow.wait(lambda: airflow.has_dag("rents"), within=300)
    # DAG runs that began before there was a champion may train beside the one that makes it.
    champion = airflow.wait(lambda: registry.aliases().get("champion"), within=600)

    quiet = airflow.wait(lambda: _without_news(client), within=600)
    run_id = quiet.data.tags[DAG_RUN_ID_TAG]
    airflow.wait(lambda: airflow.state("rents", run_id) == "success", within=120)
    airflow.call("PATCH", "dags/rents?update_mask=is_paused", {"is_paused": True})
    states = _states(airflow, run_id)
    begun = {"open_run", "read", "close_run"}
    assert {task for task, state in states.items() if state == "success"} == begun
    assert {state for task, state in states.items() if task not in begun} == {"skipped"}
    parent = client.get_run(quiet.info.run_id)
    assert parent.info.status == "FINISHED"
    assert parent.data.tags[NOTHING_NEW_TAG].endswith(f"those of the champion, version {champion}")
    assert registry.of_run(parent.info.run_id) == []
    print(f"{(parent.info.end_time - parent.info.start_time) / 1000:.0f} s from open_run to close_run")

    # A person asks for the same month: it trains, reports, and crowns nothing. So does one who clears the quiet run.
    airflow.call("PATCH", "dags/rents?update_mask=is_paused", {"is_paused": False})
    begin = time.monotonic()
    airflow.trigger("rents", "asked")
    airflow.wait(lambda: _states(airflow, "asked").get("open_run") in ("running", "success"), within=300)
    print(f"a person's run began after {time.monotonic() - begin:.0f} s")
    airflow.call("POST", f"dags/rents/dagRuns/{run_id}/clear", {"dry_run": False})
    for asked in ("asked", run_id):
        airflow.wait(lambda asked=asked: airflow.state("rents", asked) == "success", within=600)
        assert _states(airflow, asked)["register"] == "success"
        (run,) = _runs(client, f"tags.`{DAG_RUN_ID_TAG}` = '{asked}'")
        assert "something to learn since the champion" in run.data.tags["promotion"]
        assert NOTHING_NEW_TAG not in run.data.tags
    assert [move.version for move in registry.history()] == [champion]


def _without_news(client: MlflowClient) -> Run | None:
    found = _runs(client, f"tags.{NOTHING_NEW_TAG} LIKE '%'")
    return found[-1] if found else None


def _runs(client: MlflowClient, query: str) -> list[Run]:
    experiment = client.get_experiment_by_name("rents")
    return list(client.search_runs([experiment.experiment_id], query)) if experiment else []


def _states(airflow: Airflow, run_id: str) -> dict[str, Any]:
    found = airflow.call("GET", f"dags/rents/dagRuns/{run_id}/taskInstances")["task_instances"]
    return {one["task_id"]: one["state"] for one in found}
