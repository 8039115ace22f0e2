"""Buttons on every task: its runs in MLflow, the model version, the report.

They lead to addresses of the plugin's own application, which asks the tracking server when somebody follows one, not
whenever a task is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from tracked_kedro.addresses import to_mlflow
from tracked_kedro.names import OPEN_RUN_TASK, SHARDS_SUFFIX, VERSION_TASKS

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


class MlflowRunLink(BaseOperatorLink):
    """The parent run; for a mapped task the child runs of its shard."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Address of the run, empty where there is none: no tracking, or not yet."""
        parent = _parent(ti_key)
        if parent is None:
            return ""
        if ti_key.map_index < 0:
            return to_mlflow(f"run/{parent}")
        shards = _returned(ti_key, f"{ti_key.task_id}{SHARDS_SUFFIX}")
        mine = shards[ti_key.map_index] if isinstance(shards, list) and ti_key.map_index < len(shards) else []
        # A shard may hold thousands; an address may not.
        series = ",".join(quote(str(one), safe="") for one in mine) if len(mine) <= 20 else ""
        return to_mlflow(f"run/{parent}/children" + (f"?series={series}" if series else ""))


class ModelVersionLink(BaseOperatorLink):
    """The version of the registered model that this DAG run made."""

    name = "Model version"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Address of the version; empty for tasks that have nothing to do with it."""
        parent = _parent(ti_key) if ti_key.task_id in VERSION_TASKS else None
        return to_mlflow(f"version/{parent}") if parent else ""


class ReportLink(BaseOperatorLink):
    """The report of the DAG run."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Address of the report, empty without tracking."""
        parent = _parent(ti_key)
        return to_mlflow(f"report/{parent}") if parent else ""


LINKS = [MlflowRunLink(), ModelVersionLink(), ReportLink()]


def _parent(ti_key: TaskInstanceKey) -> str | None:
    value = _returned(ti_key, OPEN_RUN_TASK)
    return value if isinstance(value, str) else None


def _returned(ti_key: TaskInstanceKey, task_id: str) -> Any:
    """What a task of the same DAG run returned. The API server has no task SDK to ask, but the database."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    query = XComModel.get_many(
        run_id=ti_key.run_id, dag_ids=ti_key.dag_id, task_ids=task_id, key="return_value", limit=1
    )
    with create_session() as session:
        found = session.scalars(query).first()
        return XComModel.deserialize_value(found) if found is not None else None
