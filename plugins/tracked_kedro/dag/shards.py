"""How many keys a mapped task takes: as many as somebody said, else what suits their number and the workers."""

from __future__ import annotations

import logging
import math
import os

from airflow.sdk import conf

log = logging.getLogger(__name__)

#: Keys a task where there are many: what a task costs by itself (a second of Airflow's and ours) is then a tenth of
#: what it does, and a retry repeats little.
MANY = 25
#: Mapped tasks of the largest fleets; more of them say less on Airflow's pages, and cost Airflow more than Kedro.
TASKS = 200
# So that the last task of a slot is not half of the whole.
_TASKS_PER_SLOT = 2


def keys_per_task(count: int, wanted: int | None, name: str) -> int:
    """Keys of one mapped task, at least as many as Airflow's limit on mapped tasks asks for.

    Args:
        count: of all keys.
        wanted: what the DAG run was asked for; None chooses.
        name: of the DAG parameter, for the log.

    >>> keys_per_task(12, None, "series_per_task")  # on two cores  # doctest: +SKIP
    3
    """
    chosen = suited(count, slots()) if wanted is None else wanted
    limit = conf.getint("core", "max_map_length")
    least = math.ceil(count / limit)
    if wanted is None:
        chosen = max(chosen, least)
        log.info("%s is %d, chosen for %d keys and %d slots", name, chosen, count, slots())
    elif chosen < least:
        log.warning("%s raised from %d to %d: Airflow maps at most %d tasks", name, chosen, least, limit)
    return max(chosen, least, 1)


def suited(count: int, slots: int) -> int:
    """Keys of one task: some tasks for each slot, none larger than a fleet needs.

    >>> [suited(count, 2) for count in (1, 12, 100, 1_000, 10_000)]
    [1, 3, 25, 25, 50]
    """
    spread = math.ceil(count / (_TASKS_PER_SLOT * slots))
    return max(1, min(spread, max(MANY, math.ceil(count / TASKS))))


def slots() -> int:
    """Tasks of a DAG that may run at once, as Airflow is configured; on one machine no more than it has cores."""
    configured = min(conf.getint("core", "parallelism"), conf.getint("core", "max_active_tasks_per_dag"))
    default = conf.get("core", "executor").split(",")[0].rpartition(".")[2]
    if default == "LocalExecutor":
        configured = min(configured, max(2, os.cpu_count() or 2))
    return max(1, configured)
