"""Keeps a look at parent runs whose DAG run Airflow ends without its close task, for as long as a scheduler runs.

No event of Airflow's tells of all of them: DAG runs are deleted, states are set in the API server, schedulers restart,
and the tracking server may be away when the event comes. So the scheduler has one process beside it that compares
again and again (`python -m tracked_kedro reconcile --beside`, `tracked_kedro.cli.watch`). It imports MLflow once, and
waits for a tracking server without the scheduler noticing.
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

log = logging.getLogger(__name__)

_AGAIN = 30.0  # seconds until a look that ended by itself is begun anew
# It asks again by itself; a call that waits for a server that is down would only delay its own end.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


@hookimpl
def on_starting(component: Any) -> None:
    """A scheduler starts."""
    # Tasks are forks of the scheduler that tell of themselves here too.
    if sys.argv[1:2] == ["scheduler"] and type(component).__name__ == "Job":
        threading.Thread(target=_keep_looking, name="reconciliation", daemon=True).start()


def _keep_looking() -> None:
    while True:
        try:
            _look()
        except Exception:
            log.exception("Parent runs are not looked at; `make reconcile` does it")
        time.sleep(_AGAIN)


def _look() -> None:
    """Run the process that looks, and log what it says, until it ends."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tracked_kedro", "reconcile", "--beside", str(os.getpid())],
        env={**os.environ, **_IMPATIENT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                log.info("reconcile: %s", line.rstrip())
    log.warning("The look at parent runs ended with exit code %s; it begins anew", process.returncode)
