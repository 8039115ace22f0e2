"""Logs of the tries that `make retrain` runs: one file each, where Airflow's pages look, secrets masked."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.deployments import Deployment

DAG = """
import logging
from datetime import datetime, timedelta

import structlog
from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.log import mask_secret

log = logging.getLogger("a.library")

with DAG("tiny", schedule=None, start_date=datetime(2019, 1, 1)):

    @task(retries=1, retry_delay=timedelta(seconds=0))
    def twice():
        log.info("try %s of %s", get_current_context()["ti"].try_number, "two")
        structlog.get_logger("task").info("structured", rows=3)
        if get_current_context()["ti"].try_number == 1:
            raise OSError("the wire was cut")

    @task
    def mapped(word):
        mask_secret("hunter22222")
        log.warning("%s, and hunter22222", word)

    twice() >> mapped.expand(word=["belem", "rio"])
"""


@pytest.mark.slow
def test_each_try_has_its_own_where_airflow_looks_for_it(new_deployment: Callable[..., Deployment], tmp_path: Path):
    (tmp_path / "tiny_dag.py").write_text(textwrap.dedent(DAG))
    deployment = new_deployment("tiny")
    environment = {**deployment.environment, "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path)}
    command = [sys.executable, "-m", "tracked_kedro", "dags-test", "--dag", "tiny"]
    done = subprocess.run(command, env=environment, input="{}\n", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    logs = deployment.var / "airflow" / "logs" / "dag_id=tiny"
    found = {"/".join(file.relative_to(logs).parts[1:]): lines(file) for file in logs.rglob("*.log")}
    assert sorted(found) == [
        "task_id=mapped/map_index=0/attempt=1.log",
        "task_id=mapped/map_index=1/attempt=1.log",
        "task_id=twice/attempt=1.log",
        "task_id=twice/attempt=2.log",
    ]
    first, second = found["task_id=twice/attempt=1.log"], found["task_id=twice/attempt=2.log"]
    assert "try 1 of two" in events(first) and "try 2 of two" in events(second)
    assert "try 2 of two" not in events(first)
    [structured] = [line for line in second if line["event"] == "structured"]
    assert (structured["rows"], structured["logger"], structured["level"]) == (3, "task", "info")
    [failed] = [line for line in first if "error_detail" in line]
    assert failed["error_detail"][0]["exc_value"] == "the wire was cut"
    said = events(found["task_id=mapped/map_index=1/attempt=1.log"])
    assert "rio, and ***" in said and not [one for one in said if "belem" in one]


def lines(file: Path) -> list[dict[str, Any]]:
    """Lines of a log, in the form in which Airflow reads them."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(line.keys() >= {"timestamp", "level", "event"} for line in found), found
    return found


def events(found: list[dict[str, Any]]) -> list[str]:
    """What they say."""
    return [line["event"] for line in found]
