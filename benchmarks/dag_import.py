"""What a DAG file costs Airflow's parser beyond `airflow.sdk`: CPU seconds, in pairs of fresh processes.

    python benchmarks/dag_import.py [PAIRS]

Each pair runs `python -c "import airflow.sdk"` and `python dags/<file>` one after the other, in an order that
alternates, so that a machine that gets slower or faster meanwhile does so for both.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAIRS = 7
AIM = 0.1


def cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    """User and system time of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(pairs: int) -> None:
    """Measure every DAG file, print a table; the last line is the largest median difference."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": str(ROOT / "plugins")}
        base = [sys.executable, "-c", "import airflow.sdk"]
        differences = []
        print(f"{'DAG file':<28} {'airflow.sdk':>12} {'file':>8} {'difference':>11}   CPU s, medians of {pairs} pairs")
        for file in sorted((ROOT / "dags").glob("*_dag.py")):
            own = [sys.executable, str(file)]
            for command in (base, own):  # bytecode and disk cache
                cpu_seconds(command, environment)
            measured = []
            for number in range(pairs):
                order = (base, own) if number % 2 else (own, base)
                times = {id(command): cpu_seconds(command, environment) for command in order}
                measured.append((times[id(base)], times[id(own)]))
            difference = statistics.median(b - a for a, b in measured)
            first, second = (statistics.median(column) for column in zip(*measured, strict=True))
            print(f"{file.name:<28} {first:>12.3f} {second:>8.3f} {difference:>11.3f}")
            differences.append(difference)
    print(f"aim: at most {AIM} s more than airflow.sdk")
    print(f"bench dag_import: {max(differences):.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS)
