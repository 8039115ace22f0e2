"""A person approves or rejects a promotion, by the API and on Airflow's page; a real scheduler runs the tasks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin

import pytest
from mlflow.tracking import MlflowClient
from playwright.sync_api import Browser, Page, expect

from retraining.pipelines.climate_brazil.stations.sample import station_text
from tests.deployment import deployment_environment
from tests.fixtures.real_airflow import Airflow
from tests.fixtures.templates import EmptyStore, Migrate
from tests.fixtures.webhook import Webhook, webhook
from tracked_kedro.kedro_side.run_keys import run_key
from tracked_kedro.promotion.registry import Registry

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]

MODEL = "climate-brazil"
MLFLOW_PAGES = "http://mlflow.example"
# Nine months after the newest observation; the DAGs below let the whole fleet be stale.
PREPARED = "replay__2020-07-01"
# The end of the generated DAG, on what a month without promotion has left; one of them waits for seconds only, and
# only the other, called as the pipeline, has runs that the pages show.
DAGS = """
from airflow.sdk import DAG, Asset, Param
from tracked_kedro.dag import tasks

NAMES = {"promotion_mode": "mode", "rules": "rules", "stale": "max_stale_share"}
PARAMETERS = {name: f"climate_brazil.promotion.{field}" for name, field in NAMES.items()}
KEDRO = {"pipeline": "climate_brazil", "parameters": PARAMETERS}
RULES = [
    {"metric": "gate_share", "direction": "higher", "reference": 0.99},
    {"metric": "crps", "direction": "lower", "reference": "crps_seasonal_naive", "tolerance": 0.9},
]

for dag_id, hours in {"climate_brazil": 1, "asks_briefly": 4 / 3600}.items():
    with DAG(dag_id, schedule=None, params={"promotion_mode": "approve", "rules": RULES, "stale": 1.0}):
        opened = tasks.open_run(**KEDRO)
        compare = tasks.RunNodes(task_id="compare", nodes=["compare"], **KEDRO)
        decide = tasks.RunNodes(task_id="decide", nodes=["decide"], xcom="climate_brazil_decision", **KEDRO)
        approve = tasks.approve(hours=hours, doc_md="Asks.")
        outlets = [Asset("models/climate-brazil")]
        if dag_id == "asks_briefly":
            opened >> tasks.RunNodes(
                task_id="report",
                nodes=["report"],
                xcom="climate_warnings",
                on_success_callback=tasks.alerts("warned"),
                **KEDRO,
            )
        promote = tasks.RunNodes(
            task_id="promote", nodes=["promote"], approved_by="approve", outlets=outlets, retries=0, **KEDRO
        )
        opened >> compare >> decide >> approve >> promote >> tasks.close_run.override(trigger_rule="all_done")()
"""


class Waiting:
    """An Airflow with a challenger that the rules would promote."""

    def __init__(self, folder: Path, empty_store: EmptyStore, alerts: Webhook) -> None:
        self.alerts = alerts.texts
        self.var = folder / "var"
        empty_store(self.var)
        (folder / "dags").mkdir()
        (folder / "dags" / "asks.py").write_text(DAGS)
        self.environment = {
            **deployment_environment(self.var),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "RETRAINING_MLFLOW_UI": MLFLOW_PAGES,
            **alerts.environment,
        }
        stations = folder / "stations"
        stations.mkdir()
        for series in ("belem", "rio"):
            (stations / f"station_{series}.csv").write_text(station_text(series))
        self.airflow = Airflow(folder / "logs", self.environment)
        settings = {"cutoff": "2020-07-01", "stations": str(stations), "promotion_mode": "never"}
        given = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        command = [
            sys.executable,
            "-m",
            "tracked_kedro",
            "replay",
            "--pipeline",
            "climate_brazil",
            "--months",
            "1",
            *given,
        ]
        done = subprocess.run(command, env=self.airflow.settings, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        self.registry = Registry(MODEL, MlflowClient(self.environment["MLFLOW_TRACKING_URI"]))
        assert self.registry.aliases() == {"challenger": 1}

    def ask(self, dag: str, run_id: str) -> None:
        """Start a DAG run, and wait until it waits for an answer."""
        data = self.var / "data" / "climate_brazil"
        shutil.copytree(data / PREPARED, data / run_key(run_id))
        self.airflow.trigger(dag, run_id)
        if dag == "climate_brazil":
            self.airflow.wait(lambda: self.state(dag, run_id, "approve") == "awaiting_input", within=300)
            # Airflow fails a task that is answered before its scheduler has heard that it waits; no person is so fast.
            heard = rf"executor event with state success .*task_id='approve', run_id='{run_id}'"
            self.airflow.wait(lambda: re.search(heard, self.airflow.log("scheduler")), within=300)

    def state(self, dag: str, run_id: str, task: str) -> str | None:
        return self.airflow.call("GET", f"dags/{dag}/dagRuns/{run_id}/taskInstances/{task}")["state"]

    def answer(self, run_id: str, option: str, comment: str = "") -> Any:
        path = f"dags/climate_brazil/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        return self.airflow.call("PATCH", path, {"chosen_options": [option], "params_input": {"comment": comment}})

    def ended(self, dag: str, run_id: str) -> dict[str, str | None]:
        """States of the tasks after the DAG run has ended well."""
        self.airflow.wait(lambda: self.airflow.state(dag, run_id) not in ("queued", "running"), within=300)
        assert self.airflow.state(dag, run_id) == "success"
        return {task: self.state(dag, run_id, task) for task in ("approve", "promote", "close_run")}

    def outcome(self, run_id: str) -> str:
        """What the parent run tells of the promotion."""
        client = self.registry.client
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        [parent] = client.search_runs(experiments, f"tags.`airflow.dag_run_id` = '{run_id}'")
        return parent.data.tags["promotion"]

    def told(self, event: str) -> str:
        """The alert of an event that was sent last."""
        self.airflow.wait(lambda: any(event in text for text in self.alerts), within=300)
        return [text for text in self.alerts if event in text][-1]

    def events(self) -> int:
        found = self.airflow.call("GET", "assets/events")["asset_events"]
        return sum(event["name"] == f"models/{MODEL}" for event in found)


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory, empty_store: EmptyStore, migrate: Migrate) -> Iterator[Waiting]:
    with webhook() as alerts:
        found = Waiting(tmp_path_factory.mktemp("approval"), empty_store, alerts)
        migrate(found.environment)
        yield from _started(found)


def _started(found: Waiting) -> Iterator[Waiting]:
    found.airflow.start("api-server", "scheduler", "dag-processor")
    try:
        found.airflow.wait(lambda: all(map(found.airflow.has_dag, ("climate_brazil", "asks_briefly"))), within=300)
        yield found
    finally:
        found.airflow.stop(*list(found.airflow.processes))


def test_nobody_answers_in_time(waiting: Waiting):
    waiting.ask("asks_briefly", "late")
    states = waiting.ended("asks_briefly", "late")
    assert states == {"approve": "skipped", "promote": "skipped", "close_run": "success"}
    assert waiting.registry.aliases() == {"challenger": 1}
    assert waiting.events() == 0
    assert "Reason: nobody answered in time" in waiting.told("not promoted")


def test_stale_input_is_told(waiting: Waiting):
    told = waiting.told("asks_briefly: warnings").splitlines()
    assert "stale: Belém: the newest observation is 9 months before the cutoff" in told
    assert any(re.fullmatch(r"Report: .*/to-mlflow/report/[0-9a-f]{32}", line) for line in told)


@pytest.mark.full
def test_rejected_by_the_api(waiting: Waiting):
    waiting.ask("climate_brazil", "rejected")
    waiting.answer("rejected", "Reject", "too warm")
    assert waiting.ended("climate_brazil", "rejected")["promote"] == "skipped"
    assert re.fullmatch(r"not promoted: \w+ rejected it: too warm", waiting.outcome("rejected"))
    told = waiting.told("rejected it")
    assert "[retraining] climate_brazil: the challenger was not promoted" in told
    assert re.search(r"Reason: \w+ rejected it: too warm", told)
    assert f"{MODEL} version 1: " in told
    assert waiting.registry.aliases() == {"challenger": 1}
    assert waiting.events() == 0


def test_rejected_and_approved_on_the_page(waiting: Waiting, browser: Browser):
    for run_id, button in (("rejected_there", "Reject"), ("approved_there", "Approve")):
        waiting.ask("climate_brazil", run_id)
        page = browser.new_page(viewport={"width": 1280, "height": 1800})
        page.set_default_timeout(60_000)
        page.goto(f"{waiting.airflow.address}/dags/climate_brazil/runs/{run_id}/tasks/approve/required_actions")
        expect(page.get_by_text(f"Promote {MODEL} version 1?").first).to_be_visible()
        # The evidence: the rules with their numbers.
        expect(page.get_by_text("gate_share at least 0.99").first).to_be_visible()
        shows_the_scores_the_picture_and_the_way_to_mlflow(page)
        page.get_by_role("button", name=re.compile(f"^{button}")).click()
        states = waiting.ended("climate_brazil", run_id)
        promoted = button == "Approve"
        assert states["promote"] == ("success" if promoted else "skipped")
        assert waiting.registry.aliases().get("champion") == (1 if promoted else None)
        page.close()
    assert waiting.events() == 1


def shows_the_scores_the_picture_and_the_way_to_mlflow(page: Page) -> None:
    baselines = page.get_by_role("row").filter(has_text="seasonal naive").first
    expect(baselines).to_contain_text(re.compile("challenger.*champion.*seasonal naive"))
    picture = page.get_by_role("img", name="Forecasts of challenger and champion").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("picture => picture.complete && picture.naturalWidth === 640", arg=picture.element_handle())
    expect(picture).to_be_visible()
    # Followed by hand: where it leads is no part of this test.
    link = page.get_by_role("link", name="Run in MLflow").first.get_attribute("href")
    answer = page.request.get(urljoin(page.url, link), max_redirects=0)
    run_id = picture.get_attribute("src").split("/picture/")[1].split("/")[0]
    assert answer.status == 303
    assert re.fullmatch(rf"{MLFLOW_PAGES}/#/experiments/\d+/runs/{run_id}\?.*", answer.headers["location"])


@pytest.mark.full
def test_approved_by_the_api_says_who_and_why(waiting: Waiting):
    # The champion steps back, so that there is something to approve once more.
    waiting.registry.client.delete_registered_model_alias(MODEL, "champion")
    before = waiting.events()
    waiting.ask("climate_brazil", "approved")
    detail = waiting.airflow.call("GET", "dags/climate_brazil/dagRuns/approved/taskInstances/approve/-1/hitlDetails")
    assert detail["subject"] == f"Promote {MODEL} version 1?"
    assert "](/to-mlflow/picture/" in detail["body"]
    assert len(detail["body"]) < 10_000, "Airflow's database keeps it: pictures are addresses"
    with pytest.raises(HTTPError):
        waiting.answer("approved", "Perhaps")
    waiting.answer("approved", "Approve", "looks right")
    assert waiting.ended("climate_brazil", "approved") == dict.fromkeys(("approve", "promote", "close_run"), "success")
    assert waiting.registry.aliases()["champion"] == 1
    tags = waiting.registry.version(1).tags
    assert tags["promoted_because"].startswith("looks right; ")
    assert tags["promoted_by"] not in ("", "nobody")
    assert waiting.events() == before + 1
