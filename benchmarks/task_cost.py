"""Benchmark `task_cost`: what a task costs over its nodes' own work, in a process that has run tasks before.

Two made-up projects with one node that does nothing: a catalog of one entry, and one of 500 in the folders of 20
pipelines. A task is what an Airflow task calls: MLflow is pointed to its server, the parent run resumed, the node run
in a Kedro session. MLflow is an SQLite file in this process, so that no server's work is in the figure, and its
client's is. Airflow's own work is not in it. Both kinds of task are run in turn, each project in a process of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import cost_of, publish

TASKS = 40 if os.environ.get("FULL") else 12
SIZES = {1: 1, 500: 20}
_PIPELINE = """
from kedro.pipeline import node, pipeline

def _nothing(given):
    return given

def create_pipeline():
    return pipeline([node(_nothing, "params:{name}.value", "{name}_0", name="{name}_node")])
"""
_MLFLOW = "tracking:\n  experiment:\n    name: ${runtime_params:pipeline,all}\n"
_SETTINGS = """
from tracked_kedro.kedro_side.config_loader import ConfigLoader

TRACKED_KEDRO = True
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow", "kedro-telemetry")
CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {"base_env": "base", "default_run_env": "local"}
"""
_REGISTRY = """
from tracked_kedro.kedro_side.discovery import pipelines_of

def register_pipelines():
    return pipelines_of("costs.pipelines")
"""
_METADATA = """
[tool.kedro]
package_name = "costs"
project_name = "costs"
kedro_init_version = "1.0.0"
"""


def main() -> None:
    """The figure is the median of CPU milliseconds a task, of both projects."""
    rows, medians = [], {}
    for entries, pipelines in SIZES.items():
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            costs = _costs_in_a_process(_project(Path(folder), entries, pipelines))
        medians[entries] = statistics.median(costs)
        rows.append([f"{entries} entries, {pipelines} pipelines", 1000 * medians[entries], 1000 * max(costs)])
    small, large = (1000 * medians[entries] for entries in SIZES)
    publish(
        "task_cost",
        f"{small:.0f} ms of CPU a task with one catalog entry, {large:.0f} ms with 500 (aim 100)",
        ["project", "CPU ms a task", "largest"],
        rows,
    )


def _project(folder: Path, entries: int, pipelines: int) -> Path:
    package = folder / "src" / "costs"
    texts = {
        folder / "pyproject.toml": _METADATA,
        package / "__init__.py": "",
        package / "settings.py": _SETTINGS,
        package / "pipeline_registry.py": _REGISTRY,
        package / "pipelines" / "__init__.py": "",
        folder / "conf" / "base" / "mlflow.yml": _MLFLOW,
        folder / "conf" / "base" / "airflow.yml": "default: {}\n",
    }
    for number in range(pipelines):
        name = f"one{number}"
        catalog = "".join(
            f"{name}_{entry}:\n  type: pandas.CSVDataset\n  filepath: ${{run_folder:{name},a}}/{entry}.csv\n"
            if entry
            else f"{name}_{entry}:\n  type: json.JSONDataset\n  filepath: ${{run_folder:{name},a}}/{entry}.json\n"
            for entry in range(entries // pipelines)
        )
        texts |= {
            package / "pipelines" / name / "__init__.py": _PIPELINE.format(name=name),
            folder / "conf" / "base" / name / "catalog.yml": catalog,
            folder / "conf" / "base" / name / "parameters.yml": f"{name}:\n  value: 1\n",
        }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "conf" / "local").mkdir()
    return folder


def _costs_in_a_process(project: Path) -> list[float]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("KEDRO", "RETRAINING", "MLFLOW"))},
        "KEDRO_PROJECT_PATH": str(project),
        "RETRAINING_VAR": str(project / "var"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db",
    }
    command = [sys.executable, "-W", "ignore", __file__, "tasks"]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=600)
    return list(json.loads(run.stdout.splitlines()[-1]))


def run_tasks() -> list[float]:
    """CPU seconds of each task in this process; two that come before are not counted."""
    from tracked_kedro.kedro_side.sessions import Session
    from tracked_kedro.parent_run import runs

    session = Session("one0", {"run_key": "a"})
    session.load_context()
    import mlflow

    experiment = mlflow.set_experiment("one0").experiment_id
    parent = runs.open_parent(experiment, "one0", "manual__1", "one0", {})

    def task() -> None:
        session = Session("one0", {"run_key": "a"})
        session.connect()
        runs.in_parent(parent, lambda: session.run(nodes=["one0_node"]))

    return [cost_of(task)[0].cpu for _ in range(TASKS + 2)][2:]


if __name__ == "__main__":
    if sys.argv[1:] == ["tasks"]:
        print(json.dumps(run_tasks()))
    else:
        main()
