"""What a DAG run has left in the stores of a running stack: series, bytes, rows.

Postgres is asked directly: questions to the servers would be part of what they are measured at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from deployment import bytes_under

from operations.native.airflow import DATABASE
from operations.native.stack import Stores

DATABASES = ("mlflow", DATABASE)


def state(stores: Stores, run_id: str) -> str | None:
    """State of a DAG run; None before Airflow knows it."""
    return _one(stores, DATABASE, f"SELECT state FROM dag_run WHERE run_id = '{run_id}'")


def mapped_tasks(stores: Stores) -> int:
    """How many tasks Airflow has mapped."""
    return _one(stores, DATABASE, "SELECT count(*) FROM task_instance WHERE map_index >= 0")


def series_done(stores: Stores) -> int:
    """How many series are done, as the parent run tells while it goes on."""
    return int(_one(stores, "mlflow", "SELECT max(value) FROM latest_metrics WHERE key = 'series_done'") or 0)


def finished_series(stores: Stores) -> int:
    """How many child runs are finished."""
    query = "SELECT count(*) FROM runs JOIN tags USING (run_uuid) WHERE key = 'mlflow.parentRunId'"
    return _one(stores, "mlflow", f"{query} AND status = 'FINISHED'")


def amounts(stores: Stores) -> Counter[str]:
    """Kilobytes in each store, and rows in each database."""
    found = Counter(
        {
            "S3, artifacts, kB": bytes_under(stores.artifacts.folder) / 1e3,
            "S3, data between tasks and task logs, kB": bytes_under(stores.data.folder) / 1e3,
        }
    )
    for name in DATABASES:
        found[f"database {name}, kB"] = _one(stores, name, "SELECT pg_database_size(current_database())") / 1e3
    tables = "SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'public'"
    for name in DATABASES:
        with _cursor(stores, name) as cursor:
            cursor.execute(tables)
            counts = [f"(SELECT count(*) FROM {table})" for (table,) in cursor.fetchall()]
        found[f"database {name}, rows"] = _one(stores, name, f"SELECT {' + '.join(counts)}")
    return found


def _one(stores: Stores, database: str, query: str) -> Any:
    with _cursor(stores, database) as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
        return row[0] if row else None


@contextmanager
def _cursor(stores: Stores, database: str) -> Iterator[Any]:
    connection = psycopg2.connect(stores.postgres.url(database).replace("+psycopg2", ""))
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def failure(stores: Stores) -> str:
    """Which tasks failed, and the end of the log of the first of them."""
    with _cursor(stores, DATABASE) as cursor:
        cursor.execute("SELECT task_id, map_index FROM task_instance WHERE state = 'failed' ORDER BY end_date LIMIT 5")
        failed = cursor.fetchall()
    logs = sorted(stores.data.folder.rglob(f"task_id={failed[0][0]}/**/*.log")) if failed else []
    end = logs[-1].read_text(errors="replace")[-3000:] if logs else "(no log)"
    return f"the DAG run failed; failed tasks (name, map index): {failed}; end of a log of the first:\n{end}"
