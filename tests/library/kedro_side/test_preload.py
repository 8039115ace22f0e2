"""What a process that forks tasks imports ahead of them, seen in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.rents import Rents

LIBRARIES = ("mlflow", "kedro", "kedro_datasets")
CODE = """
import json, sys
sys.argv = {argv}
from tracked_kedro.kedro_side.preload import on_starting
on_starting(component=type({component!r}, (), {{}})())
of_interest = {{"mlflow", "kedro", "kedro_datasets", "this", "lettings", "pymc"}}
print(json.dumps(sorted(of_interest & sys.modules.keys())))
"""


def imported(var: Path, *argv: str, component: str = "Job", **environment: str) -> tuple[list[str], str]:
    """Packages of interest that a service of Airflow has imported once it has started, and its log."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE.format(argv=list(argv), component=component)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


def test_the_scheduler_imports_libraries_and_forgets_the_projects_own_modules(rents: Rents, var: Path):
    names, log = imported(var, "airflow", "scheduler", PYTHONPATH=str(rents.project / "src"))
    assert names == sorted(LIBRARIES), log
    assert "Imported MLflow, Kedro and the project's libraries in" in log


def test_what_a_pipeline_wants_to_have_used_once_is_used(rents: Rents, var: Path):
    warm_up = rents.project / "src" / "lettings" / "pipelines" / "rents" / "warm_up.py"
    warm_up.write_text("def warm_up():\n    import this\n")
    names, log = imported(var, "airflow", "scheduler", PYTHONPATH=str(rents.project / "src"))
    assert names == sorted([*LIBRARIES, "this"]), log


@pytest.mark.parametrize("service", ["api-server", "dag-processor"])
def test_no_other_service_imports_them(var: Path, service: str):
    assert imported(var, "airflow", service)[0] == []


def test_a_task_which_is_a_fork_of_the_scheduler_does_not_import_them_again(var: Path):
    assert imported(var, "airflow", "scheduler", component="TaskRunnerMarker")[0] == []


def test_it_can_be_switched_off(var: Path):
    assert imported(var, "airflow", "scheduler", RETRAINING_PRELOAD="0")[0] == []


def test_a_project_that_cannot_be_imported_does_not_stop_the_scheduler(var: Path):
    names, log = imported(var, "airflow", "scheduler", KEDRO_PROJECT_PATH=str(var))
    assert "Not everything could be imported ahead of the tasks" in log
    assert "lettings" not in names


def test_a_celery_worker_imports_them_before_its_pool_is_forked(var: Path):
    code = """
import json, sys
from celery.signals import worker_init
from tracked_kedro.dag.celery_config import CELERY_CONFIG
assert "broker_url" in CELERY_CONFIG
before = "mlflow" in sys.modules
worker_init.send(sender=None)
print(json.dumps([before, "mlflow" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [False, True]
