"""Benchmark `dagrun`: the DAG run of 12 stations on a real scheduler against plain `kedro run`, in pairs.

The stack is that of `make native`: LocalExecutor on Postgres, MLflow on Postgres and S3, data between tasks in S3. Both
kinds of run work on it, in the `prod` environment. Schedules are off, so that only the benchmark triggers the DAG. The
first run of each kind warms up and is not counted. The audit by NUTS, minutes a month, is off in both.
RETRAINING_PRELOAD=0 keeps the scheduler from importing MLflow and Kedro once, for forked tasks to inherit.
"""

from __future__ import annotations

import os
import statistics
from datetime import datetime
from pathlib import Path
from typing import Any

from deployment import PROJECT, ROOT, UNSCHEDULED, Deployment, airflow_api, temporary_folder
from measure import Cost, cost_of_command, publish, seconds_between

from operations.native.api import AirflowApi
from operations.native.stack import started_stack
from retraining.pipelines.climate_brazil.stations.sample import CLIMATES, write_sample

PAIRS = 3 if os.environ.get("FULL") else 1
CUTOFF = "2019-11-01"
DAG = "climate_brazil"
PRELOAD = os.environ.get("RETRAINING_PRELOAD", "1")


def main() -> None:
    """Pairs of runs; the figure is the DAG run's median wall time over that of `kedro run`."""
    with temporary_folder() as folder:
        stations = _stations(folder)
        environment = {
            **Deployment(folder, PROJECT).environment,
            **UNSCHEDULED,
            "RETRAINING_PRELOAD": PRELOAD,
        }
        plain, dag_runs, tasks = [], [], []
        with started_stack(folder / "stack", environment) as stack:
            api = airflow_api(stack)
            for number in range(PAIRS + 1):
                wall, split = _dag_run(api, f"bench_{number}", stations)
                cost = _kedro_run(dict(stack.environment), stations)
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
        preload=PRELOAD != "0",
    )


def _stations(folder: Path) -> Path:
    real = Path(os.environ.get("RETRAINING_TEST_DATA") or ROOT.parent / "shared" / "data") / "stations"
    if real.is_dir():
        return real.resolve()
    write_sample(folder / "stations", {name: {"file": f"station_{name}.csv"} for name in CLIMATES})
    return folder / "stations"


def _dag_run(api: AirflowApi, run_id: str, stations: Path) -> tuple[float, dict[str, tuple[float, float]]]:
    """Wall seconds of one DAG run and, of each task, its own and those between its predecessors' end and its start."""
    api.trigger(DAG, run_id, {"cutoff": CUTOFF, "stations": str(stations), "audit_series": 0})
    if (state := api.wait(DAG, run_id, within=180, pause=0.3)) != "success":
        raise SystemExit(f"the DAG run is {state}")
    run = api.dag_run(DAG, run_id)
    last = _moment(run["queued_at"])
    split: dict[str, tuple[float, float]] = {}
    for task in api.tasks(DAG, run_id):
        if task["start_date"]:
            start, finish = _moment(task["start_date"]), _moment(task["end_date"])
            label = task["task_id"] if task["map_index"] < 0 else f"{task['task_id']} {task['map_index']}"
            split[label] = ((finish - start).total_seconds(), (start - last).total_seconds())
            last = max(last, finish)
    return seconds_between(run["queued_at"], run["end_date"]), split


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _kedro_run(environment: dict[str, str], stations: Path) -> Cost:
    parameters = f"climate_brazil.stations={stations},climate_brazil.cutoff={CUTOFF},climate_brazil.audit_series=0"
    command = ["kedro", "run", "--pipelines", DAG, "--params", parameters]
    return cost_of_command(command, cwd=PROJECT, env=environment, capture_output=True, timeout=180)


if __name__ == "__main__":
    main()
