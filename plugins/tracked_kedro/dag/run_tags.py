"""What a parent run's tags say about its DAG run, and which Airflow that was in."""

from __future__ import annotations

import getpass
import os
import time
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from airflow.sdk import Variable, conf
from airflow.sdk.log import redact

from tracked_kedro import names
from tracked_kedro.dag.retries import is_attended
from tracked_kedro.dag.run_kinds import run_type
from tracked_kedro.kedro_side.redaction import without_secrets
from tracked_kedro.parent_run.reconciliation import this_process

# Stores refuse tags of more than 8,000 characters.
_TAG_LENGTH = 4000


def airflow_identity() -> str:
    """Identity of this Airflow: an Airflow Variable, made by its first tracked DAG run."""
    known = Variable.get(names.AIRFLOW_VARIABLE, default=None)
    if known is None:
        note = "Tells the MLflow runs of this Airflow from another's"
        Variable.set(names.AIRFLOW_VARIABLE, uuid4().hex, description=note)
        # Another first DAG run may set it at this moment too: the last one holds for both.
        time.sleep(1)
        known = Variable.get(names.AIRFLOW_VARIABLE)
    return known


def tags_of(pipeline: str, airflow: str, context: Any) -> dict[str, str]:
    """Tags of the parent run, from the context of one of its tasks.

    Args:
        pipeline: name of the Kedro pipeline.
        airflow: identity of this Airflow.
        context: what Airflow tells the task.
    """
    from kedro import __version__ as kedro_version

    dag_run = context["dag_run"]
    tags = {
        names.RUN_TYPE_TAG: run_type(context),
        names.INTERVAL_START_TAG: dag_run.data_interval_start,
        names.INTERVAL_END_TAG: dag_run.data_interval_end,
        names.PIPELINE_TAG: pipeline,
        names.ENVIRONMENT_TAG: os.environ.get("KEDRO_ENV", "local"),
        names.KEDRO_VERSION_TAG: kedro_version,
        names.KEDRO_COMMAND_TAG: f"kedro run --pipelines={pipeline}",
        # What was asked for by hand; the values that everything had are the run's parameters.
        names.RUNTIME_PARAMS_TAG: _shown(dag_run.conf) if dag_run.conf else None,
        names.SOURCE_TAG: f"Airflow DAG {dag_run.dag_id}",
        names.USER_TAG: getpass.getuser(),
        names.AIRFLOW_TAG: airflow,
        names.STARTED_TAG: dag_run.start_date,
        names.CLEARED_TAG: dag_run.clear_number,
        names.DAG_RUN_URL_TAG: _page(dag_run),
        names.PROCESS_TAG: this_process() if is_attended(context) else None,
    }
    return {key: str(value) for key, value in tags.items() if value is not None}


def _shown(conf: Any) -> str:
    return without_secrets(str(redact(dict(conf))))[:_TAG_LENGTH]


def _page(dag_run: Any) -> str | None:
    """Address of the DAG run's page; None where no server's is configured, as in `airflow dags test`."""
    base = conf.get("api", "base_url", fallback="")
    if not base:
        return None
    return f"{base.rstrip('/')}/dags/{quote(dag_run.dag_id)}/runs/{quote(dag_run.run_id)}"
