"""Benchmark `fleet`: many simulated series through the DAG on Postgres, an S3 store and an MLflow server.

`airflow dags test` runs the whole DAG: one process trains, shard after shard, beside the servers. Each size has a
fresh deployment and fresh stores. SIZES=100,1000 chooses sizes; FULL=1 adds 1,000 and 10,000, the last stopped after 90
minutes with what it has done by then.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
from deployment import Deployment, bytes_under, cpu_of_tree, simulated_project, temporary_folder
from measure import publish

from retraining.native.stack import Stores, started_stores

DEFAULT_SIZES, FULL_SIZES = (100, 300), (100, 1000, 10000)
PATIENCE = 90 * 60.0
CUTOFF = "2019-11-01"


@dataclass
class Outcome:
    """What a DAG run over so many series took."""

    size: int
    done: int
    stopped: bool
    wall: float
    client_cpu: float
    server_cpu: float
    largest: float  # MiB
    largest_name: str
    trainer: float  # MiB, the process that trains
    bytes_objects: int
    bytes_database: int
    bytes_local: int
    shards: list[float]  # seconds of each mapped task


def main() -> None:
    """Every size in turn; the slope is that of log(seconds of all shards) on log(series)."""
    sizes = FULL_SIZES if os.environ.get("FULL") else DEFAULT_SIZES
    if os.environ.get("SIZES"):
        sizes = tuple(int(size) for size in os.environ["SIZES"].split(","))
    outcomes = []
    for size in sizes:
        outcomes.append(_measure(size))
        print(_row(outcomes[-1]), flush=True)
    first, last = outcomes[0], outcomes[-1]
    slope = math.nan
    if last.size > first.size:
        slope = math.log(sum(last.shards) / sum(first.shards)) / math.log(last.done / first.done)
    stopped = ", stopped early" if last.stopped else ""
    publish(
        "fleet",
        f"{last.done / last.wall * 60:.0f} series per minute at {last.done} series{stopped}, "
        f"largest process {last.largest:.0f} MiB, slope {slope:.2f}",
        [
            *("series", "done", "wall s", "series/min", "client CPU-s each", "server CPU-s each"),
            *("trainer MiB", "largest MiB", "S3 kB each", "database kB each", "local kB each"),
        ],
        [_row(one) for one in outcomes],
        slope=slope,
        shard_seconds={one.size: one.shards for one in outcomes},
        largest={one.size: one.largest_name for one in outcomes},
        per_task={one.size: _per_task(one.size) for one in outcomes},
    )


def _per_task(size: int) -> int:
    # Large enough that a task's own seconds do not show, small enough that its series fit into memory.
    return min(250, max(25, size // 10))


def _row(one: Outcome) -> list[float]:
    done = max(one.done, 1)
    return [
        *(one.size, one.done, one.wall, one.done / one.wall * 60, one.client_cpu / done, one.server_cpu / done),
        *(one.trainer, one.largest),
        *(one.bytes_objects / done / 1e3, one.bytes_database / done / 1e3, one.bytes_local / done / 1e3),
    ]


def _measure(size: int) -> Outcome:
    with temporary_folder() as folder, started_stores(folder / "stores") as stores:
        deployment = Deployment(folder, simulated_project(folder, size), stores.mlflow.client_environment())
        deployment.prepare()
        database_before = _database_bytes(stores)
        outcome = _run(deployment, stores, size)
        outcome.bytes_objects = bytes_under(folder / "stores" / "artifacts")
        outcome.bytes_database = _database_bytes(stores) - database_before
        outcome.bytes_local = bytes_under(folder / "var" / "data")
        return outcome


def _run(deployment: Deployment, stores: Stores, size: int) -> Outcome:
    # The audit by NUTS costs the same minutes whatever the size.
    conf = {"series_per_task": _per_task(size), "cutoff": CUTOFF, "audit_series": 0}
    command = ["airflow", "dags", "test", "climate_brazil", "--conf", json.dumps(conf)]
    environment = {**deployment.environment, "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
    log = deployment.folder / "dags_test.log"
    outcome = Outcome(size, 0, False, 0.0, 0.0, 0.0, 0.0, "", 0.0, 0, 0, 0, [])
    servers = psutil.Process().children()
    servers_before = sum(cpu_of_tree(process.pid) for process in servers)
    begin = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _watch(process, outcome, begin)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    outcome.wall = time.monotonic() - begin
    outcome.server_cpu = sum(cpu_of_tree(process.pid) for process in servers) - servers_before
    text = log.read_text(errors="replace")
    if process.returncode and not outcome.stopped:
        raise SystemExit(f"the DAG run failed; end of its log:\n{text[-3000:]}")
    if keep := os.environ.get("KEEP_LOG"):
        Path(keep).write_text(text)
    outcome.done, outcome.shards = _children(stores), _shard_seconds(text)
    return outcome


def _watch(process: subprocess.Popen, outcome: Outcome, begin: float) -> None:
    while process.poll() is None:
        outcome.client_cpu = max(outcome.client_cpu, cpu_of_tree(process.pid))
        _look_at_memory(outcome, process.pid)
        if time.monotonic() - begin > PATIENCE:
            outcome.stopped = True
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)
        time.sleep(0.5)


def _look_at_memory(outcome: Outcome, trainer: int) -> None:
    for process in psutil.Process().children(recursive=True):
        try:
            size, name = process.memory_info().rss / 2**20, " ".join(Path(part).name for part in process.cmdline()[:4])
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid == trainer:
            outcome.trainer = max(outcome.trainer, size)
        if size > outcome.largest:
            outcome.largest, outcome.largest_name = size, name


def _children(stores: Stores) -> int:
    query = (
        "SELECT count(*) FROM runs JOIN tags USING (run_uuid) WHERE key = 'mlflow.parentRunId' AND status = 'FINISHED'"
    )
    return _query(stores, query)


def _database_bytes(stores: Stores) -> int:
    return _query(stores, "SELECT pg_database_size('mlflow')")


def _query(stores: Stores, query: str) -> int:
    connection = psycopg2.connect(stores.postgres.url("mlflow").replace("+psycopg2", ""))
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]
    finally:
        connection.close()


def _shard_seconds(log: str) -> list[float]:
    """Seconds of the Kedro run of each mapped task, as Kedro tells them."""
    found, inside = [], False
    for line in log.splitlines():
        if "series.select" in line:
            inside = True
        elif inside and (match := re.search(r"completed successfully in ([\d.]+) sec", line)):
            found.append(float(match[1]))
            inside = False
    return found


if __name__ == "__main__":
    main()
