"""What all tests share: the deployment's environment in a folder of their own, and the real data where present."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient
from playwright.sync_api import Browser, sync_playwright
from xdist.scheduler import LoadFileScheduling

from tests.deployment import CHROMIUM, ROOT, allowed_sources, deployment_environment

with warnings.catch_warnings():
    # MLflow warns about its own type hints when its pyfunc module is first imported.
    warnings.simplefilter("ignore")
    import mlflow.pyfunc

pytest_plugins = [
    # First, for others import it.
    "tests.fixtures.templates",
    "tests.fixtures.dags",
    "tests.fixtures.deployments",
    "tests.fixtures.made_up",
    "tests.fixtures.rents",
    "tests.fixtures.stack",
    "tests.fixtures.ui",
]


@cache
def _needs_stack(file: Path) -> bool:
    return "stack: Stack" in file.read_text()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what takes longest start first."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    slow |= {item.path for item in items if item.path.parent.name in ("browser", "e2e", "integration", "tracking")}
    # Stable: everything else stays as it was found.
    items.sort(key=lambda item: 0 if _needs_stack(item.path) else 1 if item.path in slow else 2)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling:
    """Say which tests share a process: those of a file, and all that need the native stack, so that there is one."""
    return _OneStack(config, log)


class _OneStack(LoadFileScheduling):
    """By file, as `--dist loadfile`; the mark `xdist_group` does not reach node ids of pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "stack" if _needs_stack(ROOT / file) else file


def pytest_sessionfinish(session: pytest.Session) -> None:
    """On the machine of continuous integration every part is installed: a skipped test there hides a missing one.

    Real data are no part that could be installed.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    missing = [report for report in skipped if "RETRAINING_TEST_DATA" not in str(report.longrepr)]
    if os.environ.get("CI") and missing and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line("\nCI is set, and tests were skipped: the summary says what they need", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="module", autouse=True)
def _no_store_of_other_files() -> None:
    """kedro-mlflow sets store and experiment for the whole process; a file of tests begins without those of another."""
    mlflow.tracking._tracking_service.utils._tracking_uri = None
    mlflow.tracking.fluent._active_experiment_id = None


@pytest.fixture(autouse=True)
def _sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests may read; those about ALLOWED_SOURCES say otherwise."""
    monkeypatch.setenv("ALLOWED_SOURCES", allowed_sources())


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
def browser() -> Iterator[Browser]:
    """A real Chromium; the test is skipped where it is absent."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs a browser, and {CHROMIUM} is absent (apt-get install chromium)")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def store(var: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch):
    """A client of this test's own store, to which the process's MLflow is pointed; no run stays active."""
    shutil.copy(empty_database, var / "mlflow" / "mlflow.db")
    # What earlier tests, or kedro-mlflow in this one, set for the whole process.
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    yield MlflowClient(f"sqlite:///{var}/mlflow/mlflow.db")
    while mlflow.active_run():
        mlflow.end_run()


@pytest.fixture
def parent(store: MlflowClient, var: Path):
    """A parent run, active as it is inside a task."""
    experiment = store.create_experiment("made_up", artifact_location=(var / "mlflow" / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        yield run


@pytest.fixture
def handlers():
    """Puts the signal handlers back that a command under test changes."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
