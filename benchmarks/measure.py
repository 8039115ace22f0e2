"""Measuring for all benchmarks: CPU seconds of whole process trees, the machine's state, results as table and JSON."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")
PACKAGES = ("apache-airflow", "kedro", "mlflow", "numba", "numpy", "pymc", "polars", "scipy")


@dataclass(frozen=True)
class Cost:
    """What a piece of work took: CPU seconds (user and system, children included) and wall seconds."""

    cpu: float
    wall: float


def cost_of(work: Callable[[], Any]) -> tuple[Cost, Any]:
    """Cost of a call in this process and in the children it waits for, and what it returned."""
    before, begin = _cpu(), time.perf_counter()
    result = work()
    return Cost(_cpu() - before, time.perf_counter() - begin), result


def cost_of_command(command: Sequence[str], **options: Any) -> Cost:
    """Cost of a command and of all its descendants.

    Raises:
        subprocess.CalledProcessError: the command failed.
    """
    cost, _ = cost_of(lambda: subprocess.run(command, check=True, **options))
    return cost


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def paired(first: Callable[[], Cost], second: Callable[[], Cost], pairs: int) -> tuple[list[Cost], list[Cost], float]:
    """Run both in turn, so that a drift of the machine's speed hits both.

    Returns:
        Costs of the first, costs of the second, and the median over pairs of the ratio of CPU seconds.
    """
    costs = [(first(), second()) for _ in range(pairs)]
    ones, others = [one for one, _ in costs], [other for _, other in costs]
    return ones, others, statistics.median(one.cpu / other.cpu for one, other in costs)


def seconds_between(begin: str, end: str) -> float:
    """Seconds between two moments as Airflow's API writes them."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def machine() -> dict[str, Any]:
    """State of the machine and versions, to stand beside every figure."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned text: the first column to the left, numbers to the right."""
    texts = [[_text(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in texts) for column in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in texts
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _text(cell: Any) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def publish(name: str, figure: str, header: Sequence[str], rows: Sequence[Sequence[Any]], **more: Any) -> None:
    """Print the table and the one last line, and write both as JSON beside the benchmark."""
    RESULTS.mkdir(exist_ok=True)
    content = {"name": name, "figure": figure, "machine": machine(), "header": header, "rows": rows, **more}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, default=str) + "\n")
    print(table(header, rows))
    print(f"\nwritten to {path}")
    print(f"bench {name}: {figure}")
