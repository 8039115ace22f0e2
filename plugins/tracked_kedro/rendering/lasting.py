"""How long a DAG run may last, and how many of a DAG may be going at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from croniter import croniter
from croniter.croniter import CroniterError

from tracked_kedro.rendering.blocks import FILE, Block

# Airflow's own limit, where nothing is said.
_MOST_RUNS = 16
# Gaps of a schedule that are looked at: those of a year of weeks.
_GAPS = 60


@dataclass(frozen=True)
class Lasting:
    """Of one DAG.

    Attributes:
        least_hours: a person's time to answer, and one try of each task, one after the other.
        dagrun_timeout_hours: after so long Airflow fails the DAG run; unless the block says, with every retry.
        max_active_runs: unless the block says, one more than the schedule alone can have going.
        asks: whether a person may be asked.
    """

    least_hours: int
    dagrun_timeout_hours: float
    max_active_runs: int
    asks: bool

    def settings(self) -> dict[str, float]:
        """What the template takes."""
        return {"dagrun_timeout_hours": self.dagrun_timeout_hours, "max_active_runs": self.max_active_runs}


def lasting(block: Block, tasks: Mapping[str, Collection[str]], answer_within_hours: float | None) -> Lasting:
    """What a block says, and what follows for what it leaves out.

    Args:
        block: of `airflow.yml`.
        tasks: tags of the nodes of each task, by its id; of a mapped task one is counted.
        answer_within_hours: how long a person may take, None where nobody is asked.
    """
    once = with_retries = (answer_within_hours or 0.0) * 60
    for task, tags in tasks.items():
        minutes, retries, delay = _tries(block, task, tags)
        once += minutes
        with_retries += minutes * (1 + retries) + retries * delay / 60
    timeout = block.dagrun_timeout_hours or math.ceil(with_retries / 60)
    going = math.ceil(timedelta(hours=timeout) / gap) if (gap := _shortest_gap(block.schedule)) else 1
    asks = answer_within_hours is not None
    return Lasting(math.ceil(once / 60), timeout, block.max_active_runs or min(going + 1, _MOST_RUNS), asks)


def timeout_problems(name: str, found: Lasting) -> Iterator[str]:
    """Of a time-out that would end a DAG run in which every task keeps to its own."""
    if found.dagrun_timeout_hours >= found.least_hours:
        return
    waiting = " and answer_within_hours" if found.asks else ""
    yield (
        f"{FILE}: {name}.dagrun_timeout_hours = {found.dagrun_timeout_hours:g}: the time-outs of its tasks{waiting} "
        f"are {found.least_hours} hours together; write {found.least_hours} or more, or leave it out"
    )


def _tries(block: Block, task: str, tags: Collection[str]) -> tuple[float, int, int]:
    """Minutes of a try of a task, its retries, and seconds between them: as the template has it."""
    minutes, retries, delay = block.timeout_minutes, block.retries, block.retry_delay_seconds
    named = [settings for tag, settings in block.tagged.items() if tag in tags]
    for settings in [*named, *([block.tasks[task]] if task in block.tasks else [])]:
        minutes = minutes if settings.timeout_minutes is None else settings.timeout_minutes
        retries = retries if settings.retries is None else settings.retries
        delay = delay if settings.retry_delay_seconds is None else settings.retry_delay_seconds
    return minutes, retries, delay


def _shortest_gap(schedule: str | None) -> timedelta | None:
    """Between two times of a schedule; None without one, or where no clock knows it."""
    if schedule is None:
        return None
    try:
        times = croniter(schedule, datetime(2024, 1, 1, tzinfo=UTC))
        found = [times.get_next(datetime) for _ in range(_GAPS)]
    except (CroniterError, ValueError):
        return None
    return min(after - before for before, after in pairwise(found))
