"""Which mapped task of a DAG run trained a series: from what the task that made the shards returned."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tracked_kedro.names import SHARDS_SUFFIX


def task_paths(dag_id: str, dag_run_id: str) -> dict[str, str]:
    """Path of the mapped task's page by series, under Airflow's root; empty where Airflow knows no shards."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(XComModel.task_id, XComModel.value).where(
        XComModel.dag_id == dag_id,
        XComModel.run_id == dag_run_id,
        XComModel.key == "return_value",
        XComModel.task_id.endswith(SHARDS_SUFFIX, autoescape=True),
    )
    with create_session() as session:
        found = session.execute(query).all()
    paths: dict[str, str] = {}
    for row in found:
        task = quote(row.task_id.removesuffix(SHARDS_SUFFIX))
        for index, shard in enumerate(_shards(row)):
            path = f"/dags/{quote(dag_id)}/runs/{quote(dag_run_id)}/tasks/{task}/mapped/{index}"
            paths |= dict.fromkeys(shard, path)
    return paths


def _shards(row: Any) -> list[list[str]]:
    from airflow.models.xcom import XComModel

    shards = XComModel.deserialize_value(row)
    return [shard for shard in shards if isinstance(shard, list)] if isinstance(shards, list) else []
