"""Blocks of hosted projects: what they become, and what is said before anything runs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.dags import dag_of
from tests.fixtures.hosted import write_stranger
from tracked_kedro.errors import PermanentError
from tracked_kedro.guest.project import checked
from tracked_kedro.rendering import pods
from tracked_kedro.rendering.hosted import hosted_dags
from tracked_kedro.rendering.images import with_image

DEFAULT = {
    "owner": "me",
    "start_date": "2019-01-01",
    "timezone": "UTC",
    "catchup": False,
    "max_active_runs": 1,
    "max_age_months": 6,
    "retries": 1,
    "retry_delay_seconds": 1,
    "timeout_minutes": 5,
    "deadline_hours": None,
    "tags": [],
    "group_by": "namespace",
    "params": {"promotion_mode": {"type": "string", "title": "Promotion", "description": "Who decides."}},
    "kedro_parameters": {"promotion_mode": "{pipeline}.promotion.mode"},
    "make": {},
    "mapped": {},
    "registered_model": None,
    "warnings": {},
    "tagged": {},
    "tasks": {},
}

FAULTY = """
    from kedro.pipeline import Pipeline, node


    def f(*x):
        return 1


    def register_pipelines():
        return {
            "__default__": Pipeline(
                [
                    node(f, ["nowhere", "params:a.b", "params:there.is"], "made", name="first"),
                    node(f, "made", "strange", name="second"),
                    node(f, "strange", "kept", name="third"),
                ]
            )
        }
"""

ODD = """
    from functools import partial

    from kedro.pipeline import Pipeline, node, pipeline


    def add(x, y=1):
        "Adds."
        return x + y


    def register_pipelines():
        inner = Pipeline([node(add, None or "params:one", "a", name="a"), node(add, "b", "c", name="c")])
        circle = pipeline(inner, namespace="ns", inputs={"b"}, outputs={"a", "c"}, parameters={"params:one"})
        circle += Pipeline([node(add, "a", "b", name="b"), node(add, "c", None, name="class")])
        steps = [node(add, "params:one", "s0", name="Lire-les.données_2024")]
        steps += [node(lambda x: x, "s0", "s1", name="open_run")]
        steps += [node(partial(add, y=2), f"s{i}", f"s{i + 1}", name=f"{i}rd-step") for i in range(1, 60)]
        return {"__default__": Pipeline(steps), "circle": circle}
"""


def rendered(**blocks: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    return hosted_dags({"default": DEFAULT, **blocks})


def test_every_fault_is_named_with_its_remedy_and_at_once(tmp_path: Path):
    catalog = (
        "kept: {type: not_installed.TableDataset, filepath: data/kept}\nmade: {type: json.JSONDataset, filepath: m}"
    )
    project = write_stranger(tmp_path / "faulty", FAULTY, catalog=catalog, parameters="there: {is: 1}")
    block = {
        "project": str(project),
        "group_by": "node",
        "track": {"metrics": ["maed"]},
        "promotion": {"rules": [{"metric": "r2", "direction": "higher", "reference": 0.5}]},
        "tagged": {"heavy": {"pool": "big"}},
        "tasks": {"thrid": {"retries": 0}},
        "train": ["frist"],
        "schedule": "every monday",
    }
    dags, problems = rendered(faulty=block)
    assert dags["faulty"].text == ""
    said = "\n".join(problems)
    for words in (
        "node first reads nowhere, which no node makes and no entry",
        "node first reads params:a.b, which the project's parameters do not have; add it",
        "dataset kept (not_installed.TableDataset):",
        "the library is missing in this deployment's environment",
        "faulty.track.metrics: no node of __default__ makes maed; did you mean made?",
        "faulty.promotion: there is no model to promote",
        "faulty.tagged.heavy: no node of the pipeline has this tag",
        "faulty.tasks.thrid: the DAG has no such task; did you mean third?",
        "faulty.train.frist: the DAG has no such task; did you mean first?",
        "dataset strange would be lost between tasks",
        "faulty.schedule = 'every monday'",
    ):
        assert words in said, said
    assert len(problems) == 10, said


def test_a_block_that_cannot_be_read_is_told_without_asking_the_project():
    _, problems = rendered(
        remote={"project": "https://user:token@git.example/x.git"},
        typo={"project": "../x", "pipelnie": "a"},
        gone={"project": "no/such/folder"},
    )
    said = "\n".join(problems)
    assert "token" not in said
    assert "gone: " in said and "no Kedro project there" in said
    assert "typo.pipelnie: unknown key; allowed here: " in said
    assert "remote.project" in said and "make add-project" in said


def test_odd_names_circles_and_sixty_nodes_in_memory_become_legal_tasks(tmp_path: Path, environment: dict[str, str]):
    project = write_stranger(tmp_path / "odd", ODD, catalog='"{anything}": {type: MemoryDataset}', parameters="one: 1")
    dags, problems = rendered(
        sixty={"project": str(project)},
        circle={"project": str(project), "pipeline": "circle"},
        grouped={"project": str(project), "pipeline": "circle", "group_by": "namespace"},
    )
    assert [problem for problem in problems if not problem.startswith("airflow.yml: grouped")] == []
    assert any("in a circle: " in problem and "leave group_by out" in problem for problem in problems)
    assert any("grouped by memory" in note for note in dags["sixty"].notes)
    for name in ("sixty", "circle"):
        file = tmp_path / f"{name}_dag.py"
        file.write_text(dags[name].text)
        done = subprocess.run(
            ["ruff", "check", "--isolated", "--select", "F", str(file)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout
        dag = dag_of(file)
        assert len(dag.tasks) == 3
        assert all(task.task_display_name for task in dag.tasks)
        assert all(len(task.task_id) <= 80 for task in dag.tasks)


PLAIN = """
    from kedro.pipeline import Pipeline, node


    def f(*x):
        return 1


    def register_pipelines():
        nodes = [node(f, None, "made", name="make", tags=["heavy"]), node(f, "made", "m", name="fit")]
        return {"__default__": Pipeline(nodes)}
"""


def test_an_image_is_that_of_every_pod_that_needs_the_project(tmp_path: Path):
    catalog = (
        "made: {type: json.JSONDataset, filepath: data/made.json}\nm: {type: json.JSONDataset, filepath: data/m.json}"
    )
    project = write_stranger(tmp_path / "imaged", PLAIN, catalog=catalog)
    memory = {"spec": {"containers": [{"name": "base", "resources": {"limits": {"memory": "2Gi"}}}]}}
    block = {
        "project": str(project),
        "image": "registry.example/imaged:1",
        "track": {"model": {"dataset": "m", "name": "m"}},
        "tagged": {"heavy": {"pod_override": memory}},
        "tasks": {"fit": {"pod_override": {"spec": {"containers": [{"name": "base", "image": "other:2"}]}}}},
    }
    dags, problems = rendered(imaged=block)
    assert problems == []
    tasks = {"open_run": [], "make": ["heavy"], "fit": []}
    made = with_image(block["image"], block["tasks"], tasks, block["tagged"])
    assert [problem for one in made.values() for problem in pods.problems(one["pod_override"])] == []
    containers = {task: one["pod_override"]["spec"]["containers"] for task, one in made.items()}
    assert containers["open_run"] == [{"name": "base", "image": "registry.example/imaged:1"}]
    assert containers["make"] == [{**memory["spec"]["containers"][0], "image": "registry.example/imaged:1"}]
    assert containers["fit"] == [{"name": "base", "image": "other:2"}]
    text = dags["imaged"].text
    assert text.count("registry.example/imaged:1") == 3, "open_run, make and register"
    assert text.count("tasks.pod_override(") == 4
    _, problems = rendered(imaged={**block, "image": "registry.example/imaged:1 --privileged"})
    assert len(problems) == 1 and problems[0].startswith("airflow.yml: imaged.image = ")


def test_two_catalog_files_of_a_project_with_one_key_are_one_line(tmp_path: Path):
    project = write_stranger(tmp_path / "twice", PLAIN, catalog="made: {type: json.JSONDataset, filepath: a}")
    (project / "conf" / "base" / "catalog_more.yml").write_text("made: {type: json.JSONDataset, filepath: b}")
    _, (problem,) = rendered(twice={"project": str(project)})
    assert problem.startswith("airflow.yml: twice: Duplicate keys found in ") and "made" in problem
    assert "\n" not in problem


FITTED = """
    from kedro.pipeline import Pipeline, node


    def f(x):
        "Makes something of it, whatever it is."
        return x


    def register_pipelines():
        steps = [("params:one", "table", "split"), ("table", "model", "fit"), ("model", "score", "judge")]
        return {"__default__": Pipeline([node(f, read, made, name=name) for read, made, name in steps])}
"""


def test_what_makes_the_model_trains_whatever_it_is_called(tmp_path: Path, environment: dict[str, str]):
    catalog = '"{anything}": {type: json.JSONDataset, filepath: "data/{anything}.json"}'
    project = write_stranger(tmp_path / "fitted", FITTED, catalog=catalog, parameters="one: 1")
    rules = [{"metric": "r2", "direction": "higher", "reference": 0.5}]
    model = {"dataset": "model", "name": "fitted"}
    dags, problems = rendered(
        fitted={"project": str(project), "track": {"model": model}, "promotion": {"rules": rules}},
    )
    assert problems == []
    file = tmp_path / "fitted_dag.py"
    file.write_text(dags["fitted"].text)
    tasks = {task.task_id: (task.task_group.group_id, task.task_display_name) for task in dag_of(file).tasks}
    assert tasks == {
        "open_run": (None, "Open the MLflow run"),
        "split": ("stage_prepare", "Split"),
        "fit": ("stage_train", "Fit"),
        "judge": ("stage_decide", "Judge"),
        "register": ("stage_decide", "Register a model version"),
        "decide": ("stage_decide", "Decide by the rules"),
        "approve": ("stage_decide", "Ask a person"),
        "promote": ("stage_decide", "Promote to champion"),
        "close_run": (None, "Close the MLflow run"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no Kedro project there"),
        ("[project]\nname = 'x'\n", r"no table \[tool.kedro\]"),
        (
            "[tool.kedro]\npackage_name = 'x'\nkedro_init_version = '0.19.3'\n",
            r"one of Kedro 0\.19\.3.*kedro_init_version",
        ),
        ("[tool.kedro\n", "correct it"),
    ],
)
def test_what_is_no_project_of_kedro_1_is_refused(tmp_path: Path, text: str | None, words: str):
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(PermanentError, match=words):
        checked(tmp_path)
