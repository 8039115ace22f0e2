"""What a DAG file costs Airflow's parser beyond `airflow.sdk`: CPU seconds, in pairs of fresh processes.

    python benchmarks/dag_import.py [PAIRS]

Each pair runs `python -c "import airflow.sdk"` and `python dags/<file>` one after the other, in an order that
alternates, so that a machine that gets slower or faster meanwhile does so for both. Beside this repository's DAGs
stands a made-up pipeline of 500 nodes, each a task of its own; what `make dags` takes for that one is printed too.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import publish

ROOT = Path(__file__).resolve().parents[1]
PAIRS = 7 if os.environ.get("FULL") else 5
AIM = 0.1
NODES = 500
AIM_NODES = 0.2
AIM_RENDERING = 10

CHAIN = """
from kedro.pipeline import node, pipeline


def same(value):
    \"\"\"Hand on what came in.\"\"\"
    return value


def create_pipeline():
    steps = range({nodes})
    return pipeline([node(same, f"large_{{i}}", f"large_{{i + 1}}", name=f"step_{{i}}") for i in steps])
"""
BLOCK = """
large:
  description: A chain of nodes, each a task
  doc: Made up for a measurement.
  group_by: node
"""
STORED = """
"large_{number}": {type: json.JSONDataset, filepath: "${run_folder:large,null}/{number}.json"}
"""


def large_dag(folder: Path, environment: dict[str, str]) -> tuple[Path, float]:
    """Render a pipeline of 500 nodes, alone in a copy of the project; its file, and seconds of wall clock."""
    project = Path(shutil.copytree(ROOT / "kedro_project", folder / "project", ignore=shutil.ignore_patterns("data")))
    conf, packages = project / "conf" / "base", project / "src" / "retraining" / "pipelines"
    for own in (*conf.glob("*/"), *packages.glob("*/")):
        shutil.rmtree(own)
    for path, text in {
        packages / "large" / "__init__.py": CHAIN.format(nodes=NODES),
        conf / "large" / "airflow.yml": BLOCK,
        conf / "large" / "catalog.yml": STORED,
    }.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    command = [sys.executable, "-m", "tracked_kedro", "render-dags", "--target", str(folder / "dags")]
    values = {**environment, "KEDRO_PROJECT_PATH": str(project), "RETRAINING_VAR": str(folder)}
    begin = time.monotonic()
    subprocess.run(command, env=values, check=True, stdout=subprocess.DEVNULL)
    return folder / "dags" / "large_dag.py", time.monotonic() - begin


def cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    """User and system time of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(pairs: int) -> None:
    """Measure every DAG file, print a table; the last line is the largest median difference."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AIRFLOW_HOME": home}
        base = [sys.executable, "-c", "import airflow.sdk"]
        large, seconds = large_dag(Path(home), environment)
        differences, rows = {}, []
        for file in [*sorted((ROOT / "dags").glob("*_dag.py")), large]:
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
            print(f"{file.name}: {difference:.3f} CPU-s more than airflow.sdk, median of {pairs} pairs", flush=True)
            rows.append([file.name, first, second, difference])
            differences[file] = difference
    beyond = differences.pop(large)
    print(f"aims: at most {AIM} s more than airflow.sdk; {NODES} nodes {AIM_NODES} s, rendered in {AIM_RENDERING} s")
    print(f"{NODES} nodes: rendered in {seconds:.1f} s of wall clock, parsed in {beyond:.3f} s")
    publish("dag_import", f"{max(differences.values()):.3f} s", ["DAG file", "airflow.sdk", "file", "difference"], rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS)
