"""Benchmark `dagrun`: the DAG run of 12 stations on a real scheduler against plain `kedro run`, in pairs.

Airflow's API server, scheduler (LocalExecutor) and dag-processor on Postgres, MLflow on Postgres and S3; both kinds of
run track to it. The DAG's schedule is taken off, so that only the benchmark triggers it. The first run of each kind
warms up and is not counted. The audit by NUTS, minutes a month, is off in both. PRELOAD=1 lets the scheduler import
MLflow and Kedro once, for forked tasks to inherit.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg2
from deployment import PROJECT, ROOT, Deployment, temporary_folder
from measure import Cost, cost_of_command, publish

from retraining.native.ports import HOST, free_port
from retraining.native.stack import Stores, signals_as_they_were, started_stores
from retraining.native.supervisor import Supervisor
from retraining.sample_data import CLIMATES, write_sample

PAIRS = 3 if os.environ.get("FULL") else 1
CUTOFF = "2019-11-01"
DAG = "climate_brazil"
# Forked tasks inherit what the scheduler has imported; Airflow imports this module in each of its processes.
PRELOAD = """import sys
if "scheduler" in sys.argv:
    import mlflow, mlflow.pyfunc, kedro.framework.session, kedro.runner, kedro_mlflow.framework.hooks
    import retraining.pipelines.climate_brazil.pipeline, retraining.tracking.hooks, retraining.tracking.series_runs
"""


def main() -> None:
    """Pairs of runs; the figure is the DAG run's median wall time over that of `kedro run`."""
    with temporary_folder() as folder, started_stores(folder / "stores") as stores:
        deployment = Deployment(folder, PROJECT, stores.mlflow.client_environment())
        stations = _stations(folder)
        port = free_port()
        environment = {**deployment.environment, **_airflow(stores, folder, port)}
        migrated = subprocess.run(["airflow", "db", "migrate"], env=environment, capture_output=True, timeout=180)
        if migrated.returncode:
            raise SystemExit(migrated.stderr.decode()[-2000:])
        plain, dag_runs, tasks = [], [], []
        with _scheduler(environment, folder / "logs") as servers:
            _wait_for_dag(port, servers)
            for number in range(PAIRS + 1):
                wall, split = _dag_run(stores, port, servers, f"bench_{number}", stations)
                cost = _kedro_run(environment, stations)
                print(f"DAG run {wall:.1f} s, kedro run {cost.wall:.1f} s", flush=True)
                if number:
                    plain.append(cost)
                    dag_runs.append(wall)
                    tasks.append(split)
    kedro, dag = statistics.median(cost.wall for cost in plain), statistics.median(dag_runs)
    rows: list[list[Any]] = [["DAG run", dag, ""], ["kedro run", kedro, ""]]
    for name in tasks[0]:
        rows.append([f"  {name}", *(statistics.median(one[name][part] for one in tasks) for part in (0, 1))])
    aim = 1.5 * kedro + 6
    publish(
        "dagrun",
        f"{dag / kedro:.2f} times plain kedro run ({dag:.1f} s against {kedro:.1f} s; aim {aim:.1f} s)",
        ["what", "wall s", "s waited before"],
        rows,
        pairs=[[wall, cost.wall] for wall, cost in zip(dag_runs, plain, strict=True)],
        preload=_preload(),
    )


def _preload() -> bool:
    return os.environ.get("PRELOAD", "0") == "1"


def _stations(folder: Path) -> Path:
    real = Path(os.environ.get("RETRAINING_TEST_DATA") or ROOT.parent / "shared" / "data") / "stations"
    if real.is_dir():
        return real.resolve()
    write_sample(folder / "stations", {name: {"file": f"station_{name}.csv"} for name in CLIMATES})
    return folder / "stations"


def _airflow(stores: Stores, folder: Path, port: int) -> dict[str, str]:
    """Settings of Airflow's parts: LocalExecutor on Postgres, open to this machine's loopback only."""
    dags, config = folder / "dags", folder / "var" / "airflow" / "config"
    dags.mkdir()
    config.mkdir(parents=True)
    source = (ROOT / "dags" / "climate_brazil_dag.py").read_text()
    (dags / "climate_brazil_dag.py").write_text(
        re.sub(r"schedule=CronDataIntervalTimetable\(.*\)", "schedule=None", source)
    )
    if _preload():
        (config / "airflow_local_settings.py").write_text(PRELOAD)
    address = f"http://{HOST}:{port}"
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": stores.postgres.url("airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
    }


@contextlib.contextmanager
def _scheduler(environment: dict[str, str], logs: Path) -> Iterator[Supervisor]:
    parts = {"api-server": [], "scheduler": ["--skip-serve-logs"], "dag-processor": []}
    commands = {part: [sys.executable, "-m", "airflow", part, *options] for part, options in parts.items()}
    supervisor = Supervisor(commands, environment, logs)
    with contextlib.ExitStack() as stack:
        with signals_as_they_were():
            stack.enter_context(supervisor)
        yield supervisor


def _call(port: int, path: str, body: dict | None = None, token: str | None = None) -> dict:
    request = Request(f"http://{HOST}:{port}{path}", data=json.dumps(body).encode() if body is not None else None)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def _token(port: int) -> str:
    return _call(port, "/auth/token")["access_token"]


def _wait_for_dag(port: int, servers: Supervisor) -> None:
    deadline = time.monotonic() + 120
    while True:
        with contextlib.suppress(OSError):
            if _call(port, f"/api/v2/dags/{DAG}", token=_token(port))["dag_id"] == DAG:
                return
        if problem := servers.ended():
            raise SystemExit(problem)
        if time.monotonic() > deadline:
            raise SystemExit("Airflow did not find the DAG within two minutes")
        time.sleep(0.5)


def _dag_run(
    stores: Stores, port: int, servers: Supervisor, run_id: str, stations: Path
) -> tuple[float, dict[str, tuple[float, float]]]:
    """Wall seconds of one DAG run and, of each task, its own and those between its predecessors' end and its start."""
    conf = {"cutoff": CUTOFF, "stations": str(stations), "audit_series": 0}
    body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    _call(port, f"/api/v2/dags/{DAG}/dagRuns", body, _token(port))
    deadline = time.monotonic() + 180
    while True:
        ((state, queued, end),) = _query(
            stores, "SELECT state, queued_at, end_date FROM dag_run WHERE run_id = %s", run_id
        )
        if state == "success":
            break
        if state == "failed" or servers.ended() or time.monotonic() > deadline:
            raise SystemExit(f"the DAG run is {state}; logs: {servers.ended()}")
        time.sleep(0.3)
    tasks = _query(
        stores,
        "SELECT task_id, map_index, start_date, end_date FROM task_instance "
        "WHERE run_id = %s AND start_date IS NOT NULL ORDER BY start_date",
        run_id,
    )
    split: dict[str, tuple[float, float]] = {}
    last = queued
    for name, index, start, finish in tasks:
        label = name if index < 0 else f"{name} {index}"
        split[label] = ((finish - start).total_seconds(), (start - last).total_seconds())
        last = max(last, finish)
    return (end - queued).total_seconds(), split


def _query(stores: Stores, query: str, *values: str) -> list[tuple]:
    connection = psycopg2.connect(stores.postgres.url("airflow").replace("+psycopg2", ""))
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()
    finally:
        connection.close()


def _kedro_run(environment: dict[str, str], stations: Path) -> Cost:
    parameters = f"climate_brazil.stations={stations},climate_brazil.cutoff={CUTOFF},climate_brazil.audit_series=0"
    command = ["kedro", "run", "--pipelines", DAG, "--params", parameters]
    return cost_of_command(command, cwd=PROJECT, env=environment, capture_output=True, timeout=180)


if __name__ == "__main__":
    main()
