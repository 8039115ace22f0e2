"""Benchmark `forecasts_page`: how long a person waits for the forecasts page, by number of series.

A real API server on SQLite reads four monthly runs of made-up forecasts from a store without a server. "First" is the
first request of its kind after the server has started, "again" the median of five more. First paint is Chromium's, of
the overview, as a person sees it who opens the page first and again.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil
from deployment import ROOT, Deployment, temporary_folder
from measure import publish
from playwright.sync_api import Page, sync_playwright

from operations.native.ports import HOST, free_port

sys.path.insert(0, str(ROOT))
from tests.fixtures.rents import write_project
from tests.fixtures.stored_forecasts import EXPERIMENT, store_months

SIZES = [12, 10_000] if os.environ.get("FULL") else [12, 1_000]
MONTHS = 4
AGAIN = 5


def main() -> None:
    """One deployment a size."""
    rows: list[list[Any]] = []
    painted = {}
    for size in SIZES:
        with temporary_folder() as folder:
            deployment = Deployment(folder, write_project(folder / "lettings"))
            deployment.prepare()
            print(f"Storing {MONTHS} months of {size} series ...", flush=True)
            _store(deployment, size)
            with _served(deployment.environment) as (address, process):
                before = _memory(process)
                painted[size] = _first_paints(address)
                rows += [[size, "overview, first paint", *painted[size], ""]]
                for what, path in _paths(size).items():
                    rows.append([size, what, *_waited(lambda path=path: _get(f"{address}{path}"))])
                rows.append([size, "memory that the page takes, MiB", "", (_memory(process) - before) / 2**20, ""])
    publish(
        "forecasts_page",
        "; ".join(
            f"{size} series painted in {first:.2f} s first, {again:.2f} s again"
            for size, (first, again) in painted.items()
        ),
        ["series", "what", "first s", "again s", "kB"],
        rows,
    )


def _paths(size: int) -> dict[str, str]:
    last = f"s{size - 2:05d}"
    one = f"/{EXPERIMENT}/series/{last}"
    return {
        "overview": f"/{EXPERIMENT}",
        "search": f"/{EXPERIMENT}?q={size - 2}",
        "last page by RMSE": f"/{EXPERIMENT}?sort=rmse&order=desc&page=9999",
        "series": one,
        "the same, a month back": f"{one}?month=2019-09",
        "past forecasts": f"{one}/past",
        "all forecasts as Parquet": f"/{EXPERIMENT}/download/forecasts.parquet",
    }


def _store(deployment: Deployment, size: int) -> None:
    import mlflow
    from mlflow.tracking import MlflowClient

    var = Path(deployment.environment["RETRAINING_VAR"])
    mlflow.set_tracking_uri(deployment.environment["MLFLOW_TRACKING_URI"])
    client = MlflowClient()
    client.create_experiment(EXPERIMENT, artifact_location=(var / "mlflow" / "artifacts").as_uri())
    store_months(client, MONTHS, size)


@contextmanager
def _served(environment: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    """The API server, everybody being an administrator."""
    address = f"http://{HOST}:{free_port()}"
    settings = {
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": address.rpartition(":")[2],
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
    command = [sys.executable, "-m", "airflow", "api-server"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env={**environment, **settings}, stdout=quiet, stderr=quiet)
    try:
        while True:
            try:
                _get(f"{address}/api/v2/monitor/health")
                break
            except (URLError, OSError):
                assert process.poll() is None, "the API server ended"
                time.sleep(0.2)
        time.sleep(5)  # the page is built beside the start
        yield f"{address}/forecasts", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _first_paints(address: str) -> tuple[float, float]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        first, *again = [_first_paint(page, address) for _ in range(1 + AGAIN)]
        browser.close()
    return first, statistics.median(again)


def _first_paint(page: Page, address: str) -> float:
    page.goto(f"{address}/")
    page.wait_for_timeout(1000)
    [milliseconds] = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)"
    )
    return milliseconds / 1000


def _waited(get: Callable[[], int]) -> tuple[float, float, float]:
    times = []
    for _ in range(1 + AGAIN):
        begin = time.perf_counter()
        size = get()
        times.append(time.perf_counter() - begin)
    return times[0], statistics.median(times[1:]), size / 1000


def _get(address: str) -> int:
    with urlopen(Request(address, headers={"Accept-Encoding": "gzip"}), timeout=120) as answer:
        return len(answer.read())


def _memory(process: psutil.Process) -> int:
    return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])


if __name__ == "__main__":
    main()
