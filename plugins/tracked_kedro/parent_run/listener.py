"""Has parent runs ended whose DAG run Airflow ends without its close task.

Airflow calls these functions inside the scheduler (time-outs, tasks that failed) and the API server (a person sets a
state), in the middle of its own work, and does not isolate them. So they only note that something ended; a thread then
runs `python -m tracked_kedro reconcile` as a process of its own, which imports MLflow and waits for a tracking server
without the scheduler noticing.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from typing import Any

from airflow.listeners import hookimpl

from tracked_kedro.names import OPEN_RUN_TASK

log = logging.getLogger(__name__)

# Seconds before the first look, for Airflow to commit the state, and before the second: by then a task that was
# running has noticed that it is to end, and opens no child run any more.
_LOOKS = (2, 25)
_TIMEOUT = 60
# Nobody waits for the answer, and a server that is down is asked again at the next occasion.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}

_something_ended = threading.Event()
_starting = threading.Lock()
_watchers: dict[int, threading.Thread] = {}


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """A DAG run failed, timed out or was marked as failed."""
    _notice(dag_run)


@hookimpl
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """A DAG run succeeded, or a person says so."""
    _notice(dag_run)


@hookimpl
def on_starting(component: Any) -> None:
    """A scheduler starts: DAG runs may have ended while none was there to see it."""
    # Tasks are forks of the scheduler that tell of themselves here too.
    if sys.argv[1:2] == ["scheduler"] and type(component).__name__ == "Job":
        _wake()


def _notice(dag_run: Any) -> None:
    try:
        dag = getattr(dag_run, "dag", None)
        tracked = dag is None or dag.has_task(OPEN_RUN_TASK)
        # `airflow dags test` ends with its DAG run, and this process with it.
        if tracked and sys.argv[1:3] != ["dags", "test"]:
            _wake()
    except Exception:
        log.exception("The end of %s was not noticed; `make reconcile` looks for runs that were left open", dag_run)


def _wake() -> None:
    _something_ended.set()
    with _starting:
        # By process: a fork inherits this dictionary, but no thread.
        watcher = _watchers.get(os.getpid())
        if watcher is None or not watcher.is_alive():
            _watchers[os.getpid()] = threading.Thread(target=_watch, name="reconciliation", daemon=True)
            _watchers[os.getpid()].start()


def _watch() -> None:
    while True:
        _something_ended.wait()
        _something_ended.clear()
        for seconds in _LOOKS:
            time.sleep(seconds)
            _look()


def _look() -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tracked_kedro", "reconcile"],
            env={**os.environ, **_IMPATIENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("Runs that were left open could not be looked for: %s", error)
        return
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode:
        log.warning("Runs that were left open could not be ended: %s", "\n".join(lines[-5:]))
    else:
        log.info("%s", "\n".join(lines[-20:]))
