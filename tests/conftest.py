"""What all tests share: the deployment's environment in a folder of their own, and the real data where present."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = Path("/usr/bin/chromium")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """On the machine of continuous integration every part is installed: a skipped test there hides a missing one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line("\nCI is set, and tests were skipped: the summary says what they need", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def deployment_environment(var: Path) -> dict[str, str]:
    """The environment that the Makefile gives to every process, with everything written under `var`."""
    shared = re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "defaults.env").read_text(), flags=re.M)
    return {
        **dict(shared),
        "RETRAINING_VAR": str(var),
        "AIRFLOW_HOME": str(var / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{var}/mlflow/mlflow.db",
        "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT / 'kedro_project' / 'src'}",
    }


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment folder of this test alone; the process's environment points to it."""
    folder = tmp_path / "var"
    (folder / "mlflow").mkdir(parents=True)
    for name, value in deployment_environment(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real stations and movies; the test is skipped where it is absent."""
    folder = Path(os.environ.get("RETRAINING_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "stations").is_dir():
        pytest.skip(f"needs the real data, and {folder / 'stations'} is absent (RETRAINING_TEST_DATA names its folder)")
    return folder


@pytest.fixture
def write_station(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes simulated station files of the given series to a folder and returns it."""
    from retraining.sample_data import station_text

    def write(*series: str, folder: Path | None = None) -> Path:
        target = folder or tmp_path / "stations"
        target.mkdir(exist_ok=True)
        for one in series:
            (target / f"station_{one}.csv").write_text(station_text(one))
        return target

    return write


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A real Chromium; the test is skipped where it is absent."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs a browser, and {CHROMIUM} is absent (apt-get install chromium)")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()
