"""One task per node, per namespace or by memory, each where airflow.yml puts it: rendered, then loaded by Airflow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures.dags import render_dags, rendered
from tests.fixtures.rents import write_project

PACKAGE = """
from kedro.pipeline import node, pipeline


def same(value):
    return value


def step(name, read, made, **more):
    return node(same, read, made, name=name, **more)


def create_pipeline():
    return pipeline([NODES])
"""
# "…_kept" is a file by a pattern of the catalog, everything else is memory.
PIPELINES = {
    "by_node": """
        step("split", "raw_kept", "table_kept"),
        step("train", "table_kept", "model_kept", tags=["heavy", "nightly"]),
        step("score", "model_kept", "score_kept", namespace="flats", tags="heavy"),
    """,
    "by_namespace": """
        step("list", "raw_kept", "keys_kept"),
        step("fit", "keys_kept", "fitted", namespace="flats", tags="heavy"),
        step("check", "fitted", "score_kept", namespace="flats"),
        step("draw", "score_kept", "drawn", namespace="plots"),
        step("show", "drawn", "shown_kept", namespace="plots"),
    """,
    "by_memory": """
        step("split", "raw_kept", "table"),
        step("train", "table", "model_kept"),
        step("score", "model_kept", "score_kept"),
    """,
}
POD = {"spec": {"containers": [{"name": "base", "resources": {"requests": {"cpu": "2", "memory": "4Gi"}}}]}}
DOC = {"description": "A made-up pipeline", "doc": "Made up."}
SIZE = {"default": 3, "type": "integer", "title": "Size", "description": "Keys per task."}
BLOCKS: dict[str, dict[str, Any]] = {
    "by_node": {
        **DOC,
        "group_by": "node",
        "train": ["train"],
        "tagged": {
            "heavy": {"pool": "heavy", "pool_slots": 2, "retries": 5, "executor": "CeleryExecutor", "queue": "big"},
            "nightly": {"retries": 0, "timeout_minutes": 90},
        },
        "tasks": {
            "train": {
                "title": "Fit it all",
                "executor": "KubernetesExecutor",
                "pod_override": POD,
                "retry_delay_seconds": 7,
            },
            "split": {"priority_weight": 9, "trigger_rule": "all_done"},
        },
    },
    "by_namespace": {
        **DOC,
        "params": {"size": SIZE},
        "mapped": {"flats": {"keys": "keys_kept", "size": "size"}},
        "tagged": {"heavy": {"pool": "heavy"}},
    },
    "by_memory": {**DOC, "group_by": "memory"},
}
FACTS = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors

def facts(task):
    pod = (task.executor_config or {}).get("pod_override")
    known = {"does": getattr(task, "nodes", None), "kind": task.task_type, "after": sorted(task.upstream_task_ids)}
    known |= {key: getattr(task, key) for key in ("pool", "pool_slots", "retries", "executor", "queue", "doc_md")}
    known |= {"weight": task.priority_weight, "rule": task.trigger_rule.value}
    known |= {"title": task.task_display_name, "group": task.task_group.group_id}
    known |= {"delay": task.retry_delay.total_seconds()}
    known |= {"minutes": task.execution_timeout.total_seconds() / 60, "pod": type(pod).__name__}
    if hasattr(pod, "spec"):
        known["requests"] = pod.spec.containers[0].resources.requests
    if hasattr(task, "partial_kwargs"):
        known["does"] = task.partial_kwargs["op_kwargs"]["namespace"]
    return known

print(json.dumps({name: {task.task_id: facts(task) for task in dag.tasks} for name, dag in bag.dags.items()}))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of made-up pipelines."""
    made = write_project(tmp_path_factory.mktemp("grouping") / "lettings")
    shutil.rmtree(made / "src" / "lettings" / "pipelines" / "rents")
    shutil.rmtree(made / "conf" / "base" / "rents")
    for name, nodes in PIPELINES.items():
        package = made / "src" / "lettings" / "pipelines" / name
        package.mkdir()
        (package / "__init__.py").write_text(PACKAGE.replace("NODES", nodes))
    blocks = made / "conf" / "base" / "made_up" / "airflow.yml"
    blocks.parent.mkdir()
    blocks.write_text(yaml.safe_dump(BLOCKS))
    pattern = {"{any}_kept": {"type": "json.JSONDataset", "filepath": "${run_folder:made_up,null}/{any}.json"}}
    blocks.with_name("catalog.yml").write_text(yaml.safe_dump(pattern))
    return made


@pytest.fixture(scope="module")
def dags(project: Path, environment: dict[str, str]) -> Path:
    rendered(project, project.parent / "dags", environment)
    return project.parent / "dags"


def loaded(dags: Path, environment: dict[str, str], executors: str) -> dict[str, dict[str, dict[str, Any]]]:
    values = {**environment, "AIRFLOW__CORE__EXECUTOR": executors}
    command = [sys.executable, "-c", FACTS, str(dags)]
    done = subprocess.run(command, env=values, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def in_a_cluster(dags: Path, environment: dict[str, str]) -> dict[str, dict[str, dict[str, Any]]]:
    return loaded(dags, environment, "LocalExecutor,CeleryExecutor,KubernetesExecutor")


@pytest.fixture(scope="module")
def on_a_laptop(dags: Path, environment: dict[str, str]) -> dict[str, dict[str, dict[str, Any]]]:
    return loaded(dags, environment, "LocalExecutor")


def work(tasks: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, list[str]]]:
    return {name: (task["does"], task["after"]) for name, task in tasks.items()}


def test_one_task_per_node(in_a_cluster: dict):
    assert work(in_a_cluster["by_node"]) == {
        "open_run": (None, []),
        "split": (["split"], ["open_run"]),
        "train": (["train"], ["split"]),
        "flats_score": (["flats.score"], ["train"]),
        "close_run": (None, ["flats_score"]),
    }


def test_one_task_per_namespace_mapped_or_not(in_a_cluster: dict):
    tasks = in_a_cluster["by_namespace"]
    assert work(tasks) == {
        "open_run": (None, []),
        "list": (["list"], ["open_run"]),
        "flats_shards": (None, ["list"]),
        "flats": ("flats", ["flats_shards"]),
        "plots": (["plots.draw", "plots.show"], ["flats"]),
        "close_run": (None, ["plots"]),
    }
    assert tasks["plots"]["doc_md"].startswith("Runs plots.draw, plots.show.\n")


def test_tasks_stand_in_boxes_of_the_graph_that_leave_their_ids_alone(in_a_cluster: dict):
    assert {task: known["group"] for task, known in in_a_cluster["by_node"].items()} == {
        "open_run": None,
        "split": "stage_prepare",
        "train": "stage_train",
        "flats_score": "stage_decide",
        "close_run": None,
    }
    mapped = {task: known["group"] for task, known in in_a_cluster["by_namespace"].items()}
    assert mapped["flats_shards"] == mapped["flats"] == "stage_train"
    assert mapped["list"] == "stage_prepare" and mapped["plots"] == "stage_decide"
    assert {known["group"] for known in in_a_cluster["by_memory"].values()} == {None}


def test_a_task_is_called_what_its_block_says_or_by_its_name(in_a_cluster: dict):
    titles = {task: known["title"] for task, known in in_a_cluster["by_node"].items()}
    assert titles["train"] == "Fit it all"
    assert titles["flats_score"] == "Flats score"
    assert titles["open_run"] == "Open the MLflow run"


def test_one_task_for_nodes_that_share_memory(in_a_cluster: dict):
    assert work(in_a_cluster["by_memory"]) == {
        "open_run": (None, []),
        "split_train": (["split", "train"], ["open_run"]),
        "score": (["score"], ["split_train"]),
        "close_run": (None, ["score"]),
    }


def test_a_tag_places_its_tasks_and_a_task_may_differ(in_a_cluster: dict):
    train, score = in_a_cluster["by_node"]["train"], in_a_cluster["by_node"]["flats_score"]
    places = ("pool", "pool_slots", "queue")
    assert [train[key] for key in places] == [score[key] for key in places] == ["heavy", 2, "big"]
    assert (score["retries"], score["minutes"], score["executor"]) == (5, 60, "CeleryExecutor")
    # Of two tags the later one wins, and over both the task's own settings.
    assert (train["retries"], train["minutes"], train["executor"]) == (0, 90, "KubernetesExecutor")
    assert (train["delay"], score["delay"]) == (7, 30)


def test_a_mapped_task_is_placed_too(in_a_cluster: dict):
    tasks = in_a_cluster["by_namespace"]
    assert (tasks["flats"]["pool"], tasks["flats_shards"]["pool"]) == ("heavy", "default_pool")


def test_weight_and_trigger_rule(in_a_cluster: dict):
    split = in_a_cluster["by_node"]["split"]
    assert (split["weight"], split["rule"]) == (9, "all_done")


def test_what_nothing_is_said_of_stays_as_the_dag_has_it(in_a_cluster: dict):
    score = in_a_cluster["by_memory"]["score"]
    assert (score["pool"], score["executor"], score["retries"], score["pod"]) == ("default_pool", None, 2, "NoneType")


def test_a_pod_is_kubernetes_own_object_where_that_executor_is_in_use(in_a_cluster: dict):
    train = in_a_cluster["by_node"]["train"]
    assert (train["pod"], train["requests"]) == ("V1Pod", {"cpu": "2", "memory": "4Gi"})


def test_on_a_laptop_the_same_file_loads_with_the_executor_it_has(on_a_laptop: dict):
    train = on_a_laptop["by_node"]["train"]
    assert (train["executor"], train["pod"], train["pool"]) == (None, "dict", "heavy")


def test_problems_stop_everything_before_a_file_is_touched(project: Path, dags: Path, environment: dict[str, str]):
    before = {path.name: path.read_bytes() for path in dags.glob("*.py")}
    airflow = project / "conf" / "base" / "made_up" / "airflow.yml"
    text = airflow.read_text()
    wrong = {"by_memory": {**DOC, "group_by": "node"}, "by_node": {**DOC, "shedule": "@daily"}, "nowhere": DOC}
    airflow.write_text(yaml.safe_dump(wrong))
    try:
        done = render_dags(project, dags, environment)
    finally:
        airflow.write_text(text)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nothing was written. Problems: 3\n  airflow.yml: by_node.shedule: unknown key; " in done.stderr
    assert "by_memory: dataset table would be lost between tasks" in done.stderr
    assert "airflow.yml: nowhere: no pipeline of this name is registered" in done.stderr
    assert {path.name: path.read_bytes() for path in dags.glob("*.py")} == before


def test_a_dag_without_a_block_any_more_is_removed_and_other_files_stay(
    project: Path, dags: Path, tmp_path: Path, environment: dict[str, str]
):
    target = tmp_path / "dags"
    target.mkdir()
    (target / "gone_dag.py").write_bytes((dags / "by_node_dag.py").read_bytes())
    (target / "own_dag.py").write_text("# written by hand\n")
    files = rendered(project, target, environment)
    assert [path.name for path in files] == ["by_memory_dag.py", "by_namespace_dag.py", "by_node_dag.py", "own_dag.py"]
