"""The process in which `make retrain` has Airflow run a DAG: it imports while the command checks what was asked."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from tracked_kedro.cli.caller import signalled_when_parent_ends
from tracked_kedro.cli.progress import COUNT
from tracked_kedro.errors import PermanentError
from tracked_kedro.names import DAG_FILE_SUFFIX


def dags_test(dag: str) -> None:
    """Import what the tasks will need, say how many there are, wait for the parameters, and run `airflow dags test`.

    It ends with the command that has started it, however that one ends.
    The parameters come as one line of JSON on standard input; where that ends without a line, nothing is run.

    Args:
        dag: id of the DAG.

    Raises:
        PermanentError: its file is not there.
    """
    signalled_when_parent_ends(signal.SIGKILL)
    # In this order: Airflow configures logging, and the others then leave it alone.
    from airflow import __main__ as airflow
    from airflow.cli.commands import dag_command  # noqa: F401
    from airflow.configuration import conf

    _tell_tasks(Path(conf.get("core", "dags_folder")) / f"{dag}{DAG_FILE_SUFFIX}", dag)
    import mlflow  # noqa: F401
    from airflow.api_fastapi import app  # noqa: F401
    from airflow.api_fastapi.execution_api import app as execution_api  # noqa: F401

    from tracked_kedro.cli.task_logs import TaskLogs

    parameters = sys.stdin.readline()
    if not parameters:
        return
    # As a person would have typed it: Airflow, and the listener, go by it.
    sys.argv = ["airflow", "dags", "test", dag, "--conf", json.dumps(json.loads(parameters))]
    TaskLogs().keep()
    airflow.main()


def _tell_tasks(file: Path, dag: str) -> None:
    from airflow.dag_processing.dagbag import DagBag

    if not file.is_file():
        raise PermanentError(f"{file} is not there; `make dags` renders it")
    for found in DagBag(collect_dags=False).process_file(str(file)):
        if found.dag_id == dag:
            print(COUNT.format(len(found.tasks)), flush=True)
