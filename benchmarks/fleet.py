"""Benchmark `fleet`: simulated series through the DAG on a real scheduler, and what that costs by number of series.

The stack is that of `make native`: LocalExecutor with two tasks at a time and the scheduler that imports ahead of them,
Postgres, an authenticated MLflow server, S3. Each size has a fresh one and a copy of the project with so many series,
its DAG rendered from that. The audit by NUTS, which costs the same minutes whatever the size, is off.

SIZES=100,300 chooses sizes; FULL=1 takes 100, 1,000 and 10,000. A size that takes longer than 90 minutes (MINUTES=) is
stopped and told by what was done by then. PER_TASK=10 is the DAG's parameter `series_per_task`: 25 here, as a DAG run
chooses it for such fleets.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from deployment import (
    UNSCHEDULED,
    Deployment,
    airflow_api,
    rendered_dags,
    simulated_project,
    temporary_folder,
)
from measure import publish, seconds_between
from processes import PARTS, Memory, cpu_by_part, memory, servers
from stored import amounts, failure, finished_series, mapped_tasks, series_done, state

from operations.native.stack import Stack, started_stack

SIZES = os.environ.get("SIZES") or ("100,1000,10000" if os.environ.get("FULL") else "100,1000")
PER_TASK = int(os.environ.get("PER_TASK") or 25)
MINUTES = float(os.environ.get("MINUTES") or 90)
SLOTS = "2"  # tasks at a time
CUTOFF = "2019-11-01"
DAG, RUN = "climate_brazil", "bench"
# Seconds. A look at all processes' memory takes 0.1 CPU-s, which must not show.
SAMPLE_EVERY, REPORT_EVERY = 4.0, 10.0


@dataclass
class Outcome:
    """What a DAG run over so many series took.

    Attributes:
        wall: seconds from the trigger to the end of the DAG run.
        cpu: seconds by part of the stack, from the trigger on.
        memory: largest of each measure, each by itself, by kind of process.
        stored: bytes by store, and rows by database.
    """

    size: int
    done: int = 0
    mapped: int = 0
    stopped: bool = False
    wall: float = 0.0
    cpu: Counter[str] = field(default_factory=Counter)
    memory: dict[str, Memory] = field(default_factory=dict)
    stored: Counter[str] = field(default_factory=Counter)

    @property
    def per_minute(self) -> float:
        """Series that were done in a minute."""
        return self.done / self.wall * 60

    @property
    def largest(self) -> str:
        """The kind of process that was largest."""
        return max(self.memory, key=lambda kind: self.memory[kind].resident)


def main() -> None:
    """Every size in turn; what there is by then is published after each, lest hours are lost with a later one."""
    outcomes: list[Outcome] = []
    for size in map(int, SIZES.split(",")):
        outcomes.append(_measure(size))
        _publish(outcomes)


def _publish(outcomes: list[Outcome]) -> None:
    """The slope is that of log(CPU seconds of all parts) on log(series), between the first size and the last."""
    first, last = outcomes[0], outcomes[-1]
    slope = further = math.nan
    if last.done > first.done > 0:
        slope = math.log(last.cpu.total() / first.cpu.total()) / math.log(last.done / first.done)
        further = (last.cpu.total() - first.cpu.total()) / (last.done - first.done)
    stopped = f", stopped after {MINUTES:g} minutes with {last.done}" if last.stopped else ""
    cost = f"{last.cpu.total() / max(last.done, 1):.2f} CPU-s each"
    if len(outcomes) > 1:
        cost += f" ({further:.2f} each beyond {first.done}, slope {slope:.2f})"
    publish(
        "fleet",
        f"{last.per_minute:.0f} series per minute at {last.size} series{stopped}, {cost}, "
        f"largest process ({last.largest}) {last.memory[last.largest].resident:.0f} MiB RSS",
        ["series", *map(str, (one.size for one in outcomes))],
        _rows(outcomes),
        slope=slope,
        cpu_seconds_of_each_further_series=further,
        stopped=[one.size for one in outcomes if one.stopped],
        series_per_task=PER_TASK,
        memory={one.size: {kind: vars(mib) for kind, mib in one.memory.items()} for one in outcomes},
    )


def _rows(outcomes: list[Outcome]) -> list[list[Any]]:
    columns = [_column(one) for one in outcomes]
    return [[what, *(column[what] for column in columns)] for what in columns[0]]


def _column(one: Outcome) -> dict[str, Any]:
    done, task = max(one.done, 1), one.memory.get("task", Memory(math.nan, math.nan))
    return {
        "done": one.done,
        "mapped tasks": one.mapped,
        "wall s": one.wall,
        "series per minute": one.per_minute,
        "CPU-s each": one.cpu.total() / done,
        **{f"  {label}": one.cpu[part] / done for part, label in PARTS.items()},
        "largest process": one.largest,
        "  its RSS, MiB": one.memory[one.largest].resident,
        "  its PSS, MiB": one.memory[one.largest].proportional,
        "largest task, RSS, MiB": task.resident,
        "  PSS, MiB": task.proportional,
        **{f"{what} each": amount / done for what, amount in one.stored.items()},
    }


def _measure(size: int) -> Outcome:
    print(f"{size} series: making the files, the DAG and a fresh stack ...", flush=True)
    with temporary_folder() as folder:
        project = simulated_project(folder, size)
        deployment = Deployment(folder, project)
        environment = {
            **deployment.environment,
            **UNSCHEDULED,
            "AIRFLOW__CORE__DAGS_FOLDER": str(rendered_dags(deployment)),
            "AIRFLOW__CORE__PARALLELISM": SLOTS,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        }
        with started_stack(folder / "stack", environment) as stack:
            conf = {
                "cutoff": CUTOFF,
                "audit_series": 0,
                "stations": str(folder / "stations"),
                "series_per_task": PER_TASK,
            }
            before = amounts(stack.stores)
            outcome = _run(stack, size, conf)
            outcome.done = finished_series(stack.stores)
            outcome.mapped = mapped_tasks(stack.stores)
            outcome.stored = amounts(stack.stores)
            outcome.stored.subtract(before)
    return outcome


def _run(stack: Stack, size: int, conf: dict[str, Any]) -> Outcome:
    """Trigger the DAG run and watch it to its end, or until the time is over."""
    outcome, pids, api = Outcome(size), servers(), airflow_api(stack)
    before = cpu_by_part(pids)
    api.trigger(DAG, RUN, conf)
    begin = reported = time.monotonic()
    while (ended := state(stack.stores, RUN)) not in ("success", "failed") and not outcome.stopped:
        if problem := stack.ended():
            raise SystemExit(problem)
        _look_at_memory(outcome, pids)
        if (now := time.monotonic()) - reported >= REPORT_EVERY:
            _report(series_done(stack.stores), size, now - begin)
            reported = now
        outcome.stopped = now - begin > MINUTES * 60
        time.sleep(SAMPLE_EVERY)
    outcome.cpu = cpu_by_part(pids)
    outcome.cpu.subtract(before)
    if ended == "failed":
        raise SystemExit(failure(stack.stores))
    run = api.dag_run(DAG, RUN)
    outcome.wall = time.monotonic() - begin if outcome.stopped else seconds_between(run["queued_at"], run["end_date"])
    return outcome


def _look_at_memory(outcome: Outcome, pids: dict[str, int]) -> None:
    for kind, now in memory(pids):
        before = outcome.memory.get(kind, now)
        outcome.memory[kind] = Memory(max(before.resident, now.resident), max(before.proportional, now.proportional))


def _report(done: int, size: int, seconds: float) -> None:
    left = "the tasks before the series" if not done else "the tasks after the series"
    if 0 < done < size:
        left = f"about {(size - done) * seconds / done / 60:.1f} minutes to go"
    print(f"  {seconds / 60:5.1f} minutes: {done} of {size} series, {left}", flush=True)


if __name__ == "__main__":
    main()
