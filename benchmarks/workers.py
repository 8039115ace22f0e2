"""Benchmark `workers`: the DAG run of 12 stations with two Celery workers against one, on one machine.

The stack is that of `make native WORKERS=2`: workers of one task at a time that share no folder, data in S3. One series
a task, 12 shards; the first run of each stack warms up and is not counted. Both workers share this machine's cores with
everything else of the stack: more machines may bring more.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from deployment import PROJECT, UNSCHEDULED, Deployment, airflow_api, temporary_folder
from measure import publish, seconds_between

from operations.native.stack import started_stack

RUNS = 3 if os.environ.get("FULL") else 1
DAG = "climate_brazil"
CONF = {"cutoff": "2019-11-01", "audit_series": 0, "series_per_task": 1}


def main() -> None:
    """Wall seconds of the whole DAG run and of its mapped tasks, for one worker and for two."""
    with temporary_folder() as folder:
        environment = {**Deployment(folder, PROJECT).environment, **UNSCHEDULED}
        walls = {workers: _measure(folder / f"stack-{workers}", environment, workers) for workers in (1, 2)}
    one, two = walls[1], walls[2]
    rows = [["whole DAG run", one[0], two[0], two[0] / one[0]], ["12 shards", one[1], two[1], two[1] / one[1]]]
    publish(
        "workers",
        f"two workers take {two[0] / one[0]:.2f} of one worker's wall time, {two[1] / one[1]:.2f} for the shards alone",
        ["wall s", "one worker", "two workers", "ratio"],
        rows,
    )


def _measure(folder: Path, environment: dict[str, str], workers: int) -> tuple[float, float]:
    runs, shards = [], []
    with started_stack(folder, environment, workers=workers) as stack:
        api = airflow_api(stack)
        for number in range(RUNS + 1):
            run_id = f"bench_{number}"
            api.trigger(DAG, run_id, CONF)
            if (state := api.wait(DAG, run_id, within=400)) != "success":
                raise SystemExit(f"the DAG run is {state}")
            run = api.dag_run(DAG, run_id)
            mapped = [task for task in api.tasks(DAG, run_id) if task["map_index"] >= 0]
            if number:
                runs.append(seconds_between(run["queued_at"], run["end_date"]))
                begin, end = min(task["start_date"] for task in mapped), max(task["end_date"] for task in mapped)
                shards.append(seconds_between(begin, end))
            print(f"{workers} worker(s): {seconds_between(run['queued_at'], run['end_date']):.1f} s", flush=True)
    return statistics.median(runs), statistics.median(shards)


if __name__ == "__main__":
    main()
