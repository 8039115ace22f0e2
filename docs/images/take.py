"""Take the README's pictures in a real browser; run by hand against a running `make ui`.

    make retrain STATIONS=../shared/data/stations
    make ui                                          # in another terminal
    .venv/bin/python docs/images/take.py http://127.0.0.1:8080 http://127.0.0.1:5050 <password>

Shows the newest successful run of `climate_brazil`. Needs Debian's chromium (`make system-deps`).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

DAG = "climate_brazil"
SERIES = "Curitiba"
METRICS = ["rmse", "crps", "coverage_80", "skill_vs_seasonal_naive"]
HERE = Path(__file__).parent


def airflow_grid(page: Page, airflow: str, password: str) -> None:
    """Log in and take the grid beside the mapped tasks of the newest successful run."""
    page.goto(airflow)
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Dag Runs").first.wait_for()
    login = page.request.post(f"{airflow}/auth/token", data={"username": "admin", "password": password})
    runs = page.request.get(
        f"{airflow}/api/v2/dags/{DAG}/dagRuns?state=success&order_by=-run_after&limit=1",
        headers={"Authorization": f"Bearer {login.json()['access_token']}"},
    )
    run_id = runs.json()["dag_runs"][0]["dag_run_id"]
    page.goto(f"{airflow}/dags/{DAG}/runs/{run_id}/tasks/series/mapped")
    page.get_by_text(SERIES).first.wait_for()
    shot(page, "airflow_grid.png", height=620)


def mlflow_runs(page: Page, mlflow: str) -> str:
    """Take the run list; return the address of one series' run."""
    page.goto(f"{mlflow}/#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=TABLE")
    page.get_by_role("link", name=re.compile(rf"{DAG} \d")).first.wait_for()  # the columns are those of loaded runs
    page.get_by_role("button", name="Close").click()  # the assistant
    page.get_by_role("button", name="Toggle sidebar").click()
    page.get_by_role("button", name="Columns", exact=True).click()
    columns = page.get_by_role("dialog")
    search = columns.get_by_placeholder("Search columns")
    for name in ["Dataset", "Source", "Models", *METRICS]:
        search.fill(name)
        columns.get_by_text(name, exact=True).first.click()
    page.keyboard.press("Escape")
    page.locator("[data-component-id$='runnamecellrenderer.tsx_46']").first.click()
    child = page.get_by_role("link", name=SERIES)
    child.wait_for()
    page.locator(f".ag-header-cell[col-id*={METRICS[-1]}] .ag-header-cell-resize").dblclick(force=True)  # full name
    address = f"{mlflow}/{child.get_attribute('href').lstrip('/')}"
    shot(page, "mlflow_runs.png", height=760)
    return address


def forecast(page: Page, run: str) -> None:
    """Take one series' forecast plot in MLflow's artifact viewer."""
    page.goto(f"{run}/artifacts/figures/forecast.svg?workflowType=machine_learning")
    page.locator("img[src^=blob], img[src*=artifact]").first.wait_for()
    shot(page, "forecast.png", height=640)


def forecasts(page: Page, airflow: str) -> None:
    """Take the forecasts page: all series inside Airflow, one series a few months back, and a phone in the dark."""
    page.goto(f"{airflow}/plugin/forecasts")
    page.frame_locator("iframe").get_by_text(SERIES).wait_for()
    shot(page, "forecasts_overview.png", height=800)
    page.goto(f"{airflow}/forecasts/{DAG}")
    months = page.get_by_label("Month").locator("option").all_text_contents()
    page.goto(f"{airflow}/forecasts/{DAG}?month={months[min(2, len(months) - 1)]}")
    page.get_by_role("link", name=SERIES).click()
    page.locator("#past tbody").wait_for()
    shot(page, "forecasts_series.png", height=880)
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.set_viewport_size({"width": 390, "height": 880})
    page.reload()
    page.locator("#past tbody").wait_for()
    shot(page, "forecasts_phone.png", height=880, width=390)


def shot(page: Page, name: str, height: int, width: int = 1440) -> None:
    """Write the upper part of the page to a file beside this script."""
    page.wait_for_timeout(2500)  # for grids and pictures that are still being drawn
    page.mouse.move(0, 0)
    page.screenshot(path=HERE / name, clip={"x": 0, "y": 0, "width": width, "height": height})
    print(f"made {HERE / name}, {(HERE / name).stat().st_size // 1024} KB")


def main() -> None:
    """Take all pictures."""
    airflow, mlflow, password = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        airflow_grid(page, airflow.rstrip("/"), password)
        forecast(page, mlflow_runs(page, mlflow.rstrip("/")))
        forecasts(page, airflow.rstrip("/"))
        browser.close()


if __name__ == "__main__":
    main()
