"""Processes of a running stack: CPU seconds and memory of each of its parts, tasks told apart from what runs them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

PARTS = {
    "tasks": "task processes",
    "airflow": "Airflow services",
    "mlflow": "MLflow server",
    "postgres": "Postgres",
    "s3": "S3 stores",
}
_PART_OF = {"mlflow": "mlflow", "postgres": "postgres", "artifacts": "s3", "data": "s3"}  # all others are Airflow's


@dataclass(frozen=True)
class Memory:
    """Memory of one process in MiB.

    Attributes:
        resident: RSS; it counts the pages that forks share in each of them.
        proportional: PSS: a page that n processes share counts 1/n in each; NaN where it may not be read.
    """

    resident: float
    proportional: float


def servers() -> dict[str, int]:
    """Process ids of the servers that this process has started, by the name of the log that each writes to."""
    found = {}
    for process in psutil.Process().children():
        with contextlib.suppress(OSError):
            log = Path(f"/proc/{process.pid}/fd/1").readlink()
            if log.suffix == ".log":
                found[log.stem] = process.pid
    return found


def cpu_of_tree(pid: int) -> float:
    """CPU seconds of a process, of its descendants and of those of them that have ended and were waited for."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        for process in [leader, *leader.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def cpu_by_part(pids: Mapping[str, int]) -> Counter[str]:
    """CPU seconds that each part of the stack has used by now.

    The scheduler's children wait for tasks, which are theirs: whatever is below those children is a task.
    """
    spent: Counter[str] = Counter()
    for name, pid in pids.items():
        spent[_PART_OF.get(name, "airflow")] += cpu_of_tree(pid)
    for worker in _workers(pids):
        with contextlib.suppress(psutil.NoSuchProcess):
            own = worker.cpu_times()
            tasks = cpu_of_tree(worker.pid) - own.user - own.system
            spent["tasks"] += tasks
            spent["airflow"] -= tasks
    return spent


def memory(pids: Mapping[str, int]) -> Iterator[tuple[str, Memory]]:
    """Every process of the stack: `task`, or the server that it belongs to, and its memory."""
    workers = {worker.pid for worker in _workers(pids)}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            leader = psutil.Process(pid)
            for process in [leader, *leader.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    service = name != "scheduler" or process.pid == pid or process.pid in workers
                    yield name if service else "task", _memory_of(process)


def _workers(pids: Mapping[str, int]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pids["scheduler"]).children()
    return []


def _memory_of(process: psutil.Process) -> Memory:
    try:
        found = process.memory_full_info()
    except psutil.AccessDenied:
        return Memory(process.memory_info().rss / 2**20, float("nan"))
    return Memory(found.rss / 2**20, found.pss / 2**20)
