"""A person opens the pages of `make ui`, starts a retraining with the form, and finds it in the store."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import mlflow
import psutil
import pytest
from mlflow.tracking import MlflowClient
from playwright.sync_api import Page, expect

DAG = "climate_brazil"
FIELDS = [
    "Series",
    "Cutoff",
    "Months ahead",
    "Testing window",
    "Inference method",
    "Posterior draws",
    "Series per task",
    "Audited series",
    "Station files",
    "Track in MLflow",
]


@pytest.mark.slow
def test_form_starts_a_retraining_that_mlflow_shows(var, start_ui, migrate, browser, write_station):
    stations = write_station("belem", "rio")
    migrate(os.environ)
    # Unpausing would start this month's scheduled run first; here only the form starts runs.
    ui = start_ui({"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False"})
    ui.wait_until_ready()
    assert (var / "airflow" / "passwords.json").stat().st_mode & 0o777 == 0o600
    assert (var / "airflow" / "airflow.cfg").stat().st_mode & 0o777 == 0o600

    page = browser.new_page(viewport={"width": 1440, "height": 1500})
    page.set_default_timeout(60_000)
    log_in(page, ui.airflow, "admin")
    expect(page.get_by_text("Invalid credentials")).to_be_visible()
    log_in(page, ui.airflow, ui.password)
    page.wait_for_url(f"**/dags/{DAG}")
    trigger(page, series=["Belém", "Rio de Janeiro"], months_ahead=6, cutoff="2019-11-01", stations=stations)
    assert wait_for_run(page, ui) == "success"
    check_store()
    check_buttons(page, ui)
    check_forecasts(page, ui)
    page.goto(f"{ui.mlflow}/#/experiments/1/runs")
    expect(page.get_by_role("link", name=f"{DAG} 2019-10")).to_be_visible()

    family = psutil.Process(ui.process.pid).children(recursive=True)
    listening = {c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    assert ui.stop(signal.SIGINT) == 130
    assert [process for process in family if is_running(process)] == []
    assert "have ended" in ui.output.read_text()


def log_in(page: Page, airflow: str, password: str) -> None:
    page.goto(f"{airflow}/dags/{DAG}")
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()


def trigger(page: Page, *, series: list[str], months_ahead: int, cutoff: str, stations: Path) -> None:
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    for title in FIELDS:
        expect(form.get_by_text(re.compile(rf"^{title} ?\*?$"))).to_be_visible()
    choice = form.get_by_role("combobox", name="Select one or multiple values")
    choice.click()
    expect(page.get_by_role("option")).to_have_count(12)
    for label in series:
        choice.fill(label)
        page.get_by_role("option", name=label, exact=True).click()
    # Whoever takes all of them away again has asked for all series: the form must not be blocked.
    for _ in series:
        choice.press("Backspace")
    start = form.get_by_role("button", name="Trigger")
    expect(start).to_be_enabled()
    for label in series:
        choice.fill(label)
        page.get_by_role("option", name=label, exact=True).click()
    # The audit takes minutes, and the unit tests look after it.
    for field, value in {"Months ahead": months_ahead, "Audited series": 0}.items():
        number = form.get_by_role("spinbutton", name=field)
        number.fill(str(value))
        number.blur()
    form.locator("#element_cutoff").fill(cutoff)
    form.locator("#element_stations").fill(str(stations))
    start.click()
    expect(form).to_be_hidden()


def wait_for_run(page: Page, ui, within: float = 600) -> str:
    login = page.request.post(f"{ui.airflow}/auth/token", data={"username": "admin", "password": ui.password})
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    deadline = time.monotonic() + within
    while True:
        answer = page.request.get(f"{ui.airflow}/api/v2/dags/{DAG}/dagRuns", headers=headers)
        [run] = answer.json()["dag_runs"]
        if run["state"] not in ("queued", "running"):
            return run["state"]
        assert time.monotonic() < deadline, run
        time.sleep(1)


def check_buttons(page: Page, ui) -> None:
    """What the buttons of a mapped task lead to: the browser is logged in, so they need no token."""
    [run] = page.request.get(f"{ui.airflow}/api/v2/dags/{DAG}/dagRuns").json()["dag_runs"]
    tasks = f"{ui.airflow}/api/v2/dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances"
    links = page.request.get(f"{tasks}/series/links?map_index=0").json()["extra_links"]
    assert set(links) >= {"MLflow run", "Model version", "Report"}
    assert links["Model version"] is None
    client = MlflowClient()
    [experiment] = [one.experiment_id for one in client.search_experiments() if one.name == DAG]
    children = client.search_runs([experiment], "tags.`mlflow.parentRunId` IS NOT NULL")
    # Each shard's button leads to the children of that shard.
    found = []
    for number in range(page.request.get(f"{tasks}/series/listMapped").json()["total_entries"]):
        links = page.request.get(f"{tasks}/series/links?map_index={number}").json()["extra_links"]
        answer = page.request.get(f"{ui.airflow}{links['MLflow run']}", max_redirects=0)
        assert answer.headers["location"].startswith(f"{ui.mlflow}/#/experiments/{experiment}/runs")
        found += [child.info.run_id for child in children if child.info.run_id in answer.headers["location"]]
    assert sorted(found) == sorted(child.info.run_id for child in children)
    version = page.request.get(f"{tasks}/register/links").json()["extra_links"]["Model version"]
    assert version.startswith("/to-mlflow/version/")


def check_forecasts(page: Page, ui) -> None:
    """The page shows what was just retrained, with the way to the mapped task that did it."""
    page.goto(f"{ui.airflow}/forecasts/{DAG}")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first.get_by_role("link", name="task")).to_have_attribute("href", re.compile("/tasks/series/mapped/0$"))
    rows.first.get_by_role("link", name="Belém").click()
    expect(page.locator("#plot .legendtext").first).to_be_visible()


def check_store() -> None:
    client = MlflowClient()
    experiment = mlflow.get_experiment_by_name(DAG)
    runs = client.search_runs([experiment.experiment_id])
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert parent.info.status == "FINISHED"
    assert "6" in [value for name, value in parent.data.params.items() if name.endswith("n_ahead")]
    assert sorted(run.info.run_name for run in children) == ["Belém", "Rio de Janeiro"]


def is_running(process: psutil.Process) -> bool:
    # Who was not waited for by its parent stays in the process table, dead, until the machine's first process reaps it.
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
