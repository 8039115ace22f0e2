"""Checks before `make dags`: each problem has an error of its own that names the place and the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline, node, pipeline
from kedro_mlflow.pipeline import pipeline_ml_factory

from tests.deployment import ROOT
from tracked_kedro.rendering import preflight
from tracked_kedro.rendering.block_reading import read_blocks
from tracked_kedro.rendering.blocks import Block
from tracked_kedro.rendering.completion import completed

# The shipped defaults, so that a new setting needs no copy here.
DEFAULT = yaml.safe_load((ROOT / "kedro_project" / "conf" / "base" / "airflow.yml").read_text())["default"]
OWN = {"description": "Rents", "doc": "Trains a model of rents.", "schedule": "0 6 3 * *"}
SIZE = {"default": 3, "type": "integer", "minimum": 1, "title": "Size", "description": "Keys per task."}
FILES = {name: {"type": "json.JSONDataset", "filepath": f"{name}.json"} for name in ("table", "keys", "model", "score")}
KEYS_FILE = {"mapped": {"flats": {"keys": "keys", "size": "size"}}, "params": {"size": SIZE}}


PARAMETERS = {"rents": {"test_share": 0.2, "promotion": {"mode": "auto"}}, "use_mlflow": True}


def read(airflow: dict[str, Any]) -> tuple[dict[str, Block], list[str]]:
    """The blocks of an airflow.yml, and its problems."""
    return read_blocks(airflow, completed(airflow, PARAMETERS, lambda name: None))


def same(*values: Any) -> Any:
    return values[0]


def step(name: str, inputs: str, outputs: str, **more: Any) -> Node:
    return node(same, inputs.split(), outputs, name=name, **more)


def chain(**more: Any) -> Pipeline:
    """Three nodes that hand each other `table` and `model`."""
    return pipeline(
        [step("split", "raw", "table"), step("train", "table", "model", **more), step("score", "model", "score")]
    )


@pytest.fixture
def found() -> Callable[..., list[str]]:
    """All problems of one DAG, given what is special about it."""

    def check(
        made: Pipeline | None = None, catalog: dict[str, Any] | None = None, name: str = "rents", **own: Any
    ) -> list[str]:
        blocks, problems = read({"default": DEFAULT, name: {**OWN, **own}})
        entries = DataCatalog.from_config(FILES if catalog is None else catalog)
        return problems + list(preflight.problems(blocks, {"rents": made or chain()}, entries, PARAMETERS))

    return check


def only(problems: list[str]) -> str:
    assert len(problems) == 1, problems
    return problems[0]


def test_what_is_right_passes(found: Callable):
    assert found(warnings={"score": "score"}) == []
    assert found() == []
    assert found(params={"size": SIZE}, kedro_parameters={"size": "rents.test_share"}, schedule="@weekly") == []


class TestDatasetsBetweenTasks:
    def test_one_without_an_entry_names_dataset_nodes_and_both_remedies(self, found: Callable):
        problem = only(found(catalog={key: FILES[key] for key in ("model", "score")}))
        assert problem == (
            "rents: dataset table would be lost between tasks: it is kept in memory, and made by node split (task "
            "split), but read by node train (task train); either store it (an entry table in conf/base/catalog*.yml) "
            "or run these nodes in one task (airflow.yml: rents.group_by: memory, or one namespace for them)"
        )

    @pytest.mark.parametrize("entry", ["table", "{any}"], ids=["named", "by pattern"])
    def test_an_entry_that_is_memory(self, found: Callable, entry: str):
        others = {key: FILES[key] for key in ("model", "score")}
        assert "dataset table would be lost" in only(found(catalog={**others, entry: {"type": "MemoryDataset"}}))

    def test_a_pattern_that_stores_it_is_enough(self, found: Callable):
        assert found(catalog={"{any}": {"type": "json.JSONDataset", "filepath": "{any}.json"}}) == []

    def test_within_one_task_memory_will_do(self, found: Callable):
        assert found(catalog={}, group_by="memory") == []
        inside = pipeline([step("a", "raw", "x"), step("b", "x", "score")], namespace="flats", inputs={"raw"})
        assert found(inside, catalog={}) == []
        assert "lost" in only(found(inside, catalog={}, group_by="node"))

    def test_every_reader_is_named(self, found: Callable):
        made = pipeline([step("a", "raw", "x"), step("b", "x", "y"), step("c", "x", "z")])
        assert "but read by node b (task b) and node c (task c);" in only(found(made, catalog={}))


class TestTaskIds:
    @pytest.mark.parametrize(
        ("names", "task"), [(("train-model", "train_model"), "train_model"), (("Train", "train"), "train")]
    )
    def test_two_nodes_with_one_id(self, found: Callable, names: tuple[str, str], task: str):
        made = pipeline([step(name, "table", f"out{i}") for i, name in enumerate(names)])
        problem = only(found(made))
        assert all(f"node {name}" in problem for name in names)
        assert problem.endswith(f"would both be task {task}; rename one of them")

    @pytest.mark.parametrize("name", ["open_run", "close-run"])
    def test_a_node_named_like_a_task_of_the_dag(self, found: Callable, name: str):
        problem = only(found(pipeline([step(name, "table", "score")])))
        assert f"the DAG's own task and node {name} would both be task" in problem

    def test_a_node_named_like_the_task_that_splits_a_namespace(self, found: Callable):
        made = pipeline(
            [step("a", "table", "score", namespace="flats"), step("flats_shards", "table", "model")],
        )
        problem = only(found(made, **KEYS_FILE))
        assert "splits namespace flats and node flats_shards would both be task flats_shards" in problem

    @pytest.mark.parametrize("name", ["1st", "import", "tasks"])
    def test_a_node_that_cannot_be_a_name_in_python(self, found: Callable, name: str):
        assert only(found(pipeline([step(name, "table", "score")]))) == (
            f"rents: node {name} would be task {name!r}, which cannot be a name in Python; rename it"
        )

    def test_an_id_too_long_for_airflow(self, found: Callable):
        made = pipeline([step(f"{letter * 90}", f"d{i}", f"d{i + 1}") for i, letter in enumerate("abc")])
        assert "id is 272 characters long, and Airflow takes 250" in only(found(made, catalog={}, group_by="memory"))


class TestCycles:
    @pytest.mark.filterwarnings("ignore:Namespace 'flats' is interrupted:UserWarning")
    def test_an_interrupted_namespace(self, found: Callable):
        made = pipeline(
            [
                step("first", "raw", "table", namespace="flats"),
                step("between", "table", "model"),
                step("last", "model", "score", namespace="flats"),
            ]
        )
        assert only(found(made)) == (
            "rents: grouped by namespace, tasks would wait for each other in a circle: flats → between → flats; "
            "put the nodes in between into the same namespace, split it, or set airflow.yml: rents.group_by: node"
        )
        assert found(made, group_by="node") == []

    def test_nodes_tied_by_memory_around_a_stored_dataset(self, found: Callable):
        around = pipeline(
            [
                node(lambda x: (x, x), "raw", ["lost", "table"], name="a"),
                step("b", "table", "model"),
                step("c", "lost model", "score"),
            ]
        )
        assert re.search(
            r"grouped by memory, .* circle: (a_c → b → a_c|b → a_c → b);", only(found(around, group_by="memory"))
        )


class TestSchedule:
    @pytest.mark.parametrize("schedule", ["0 6 32 * *", "monthly", "0 6 3 * * *", "@fortnightly", "0 6 30 2 *", ""])
    def test_one_that_cannot_be(self, found: Callable, schedule: str):
        problem = only(found(schedule=schedule))
        assert problem.startswith(f"airflow.yml: rents.schedule = {schedule!r}: ")
        assert problem.endswith("or a preset such as @monthly; null is by hand only")

    @pytest.mark.parametrize("schedule", ["0 6 3 * *", "@monthly", "*/15 * * * MON-FRI", None])
    def test_one_that_can(self, found: Callable, schedule: str | None):
        assert found(schedule=schedule) == []


class TestPipelines:
    def test_an_unknown_one(self, found: Callable):
        problem = only(found(name="rent"))
        assert problem == "airflow.yml: rent: no pipeline of this name is registered; did you mean rents?"
        assert only(found(name="weather")).endswith("is registered; known are rents")

    def test_one_that_cannot_be_run_task_by_task(self, found: Callable):
        inference = pipeline([step("predict", "model flats", "rents")])
        made = pipeline_ml_factory(chain(), inference, input_name="flats")
        assert only(found(made)).startswith("rents: registered as a PipelineML of kedro-mlflow, which runs as a whole")


class TestPromotion:
    def test_a_pipeline_without_its_nodes(self, found: Callable):
        problems = found(registered_model={"name": "rents"})
        assert [problem.split("; ")[0] for problem in problems] == [
            f"airflow.yml: rents.registered_model: the pipeline has no node {task}"
            for task in ("register", "decide", "promote")
        ]
        assert problems[0].endswith("end it with tracked_kedro.promotion.pipeline.promotion('rents')")

    def test_a_node_named_like_the_task_that_asks_a_person(self, found: Callable):
        nodes = [step(name, "table", f"{name}_made") for name in ("register", "decide", "promote", "approve")]
        problem = only(found(pipeline(nodes), registered_model={"name": "rents"}))
        assert "the DAG's own task and node approve would both be task approve" in problem


class TestMapped:
    MADE = staticmethod(
        lambda: pipeline([step("list", "raw", "keys"), step("a", "table", "score", namespace="flats")], inputs={"raw"})
    )

    def test_right(self, found: Callable):
        assert found(self.MADE(), **KEYS_FILE) == []

    def test_without_its_list_of_keys(self, found: Callable):
        problem = only(found(self.MADE(), **{**KEYS_FILE, "mapped": {"flats": {"size": "size"}}}))
        assert problem == "airflow.yml: rents.mapped.flats.keys: missing; name the dataset that lists the keys"

    def test_keys_that_are_no_dataset(self, found: Callable):
        mapped = {"flats": {"keys": "kyes", "size": "size"}}
        problem = only(found(self.MADE(), **{**KEYS_FILE, "mapped": mapped}))
        assert problem.startswith("airflow.yml: rents.mapped.flats.keys = 'kyes': the catalog has no such dataset;")

    def test_keys_that_would_be_lost(self, found: Callable):
        catalog = {**FILES, "keys": {"type": "MemoryDataset"}}
        problem = only(found(self.MADE(), catalog, **KEYS_FILE))
        assert "'keys': made by node list and kept in memory only" in problem

    def test_a_namespace_that_is_none(self, found: Callable):
        mapped = {"flat": {"keys": "keys", "size": "size"}}
        problem = only(found(self.MADE(), **{**KEYS_FILE, "mapped": mapped}))
        assert "rents.mapped.flat: the pipeline has no namespace flat at its top level (it has: flats)" in problem

    def test_a_size_that_is_no_parameter(self, found: Callable):
        mapped = {"flats": {"keys": "keys", "size": "flats_per_task"}}
        problem = only(found(self.MADE(), **{**KEYS_FILE, "mapped": mapped}))
        assert "size = 'flats_per_task': the DAG has no parameter of this name" in problem

    def test_training_inputs_of_some_keys_only(self, found: Callable):
        nodes = [step("list", "raw", "keys"), step("a", "table", "rents_training_inputs", namespace="flats")]
        made = pipeline(nodes, inputs={"raw"}, outputs={"rents_training_inputs"})
        ends = pipeline([step(name, "keys", name) for name in ("register", "decide", "promote")])
        entries = {name: {"type": "json.JSONDataset", "filepath": f"{name}.json"} for name in made.outputs()}
        problem = only(found(made + ends, {**FILES, **entries}, **KEYS_FILE, registered_model={"name": "rents"}))
        assert problem == (
            "rents: dataset rents_training_inputs is made in the mapped namespace flats, by each of its tasks; let a "
            "node before it make it"
        )

    def test_nodes_are_not_mapped(self, found: Callable):
        assert "set rents.group_by to namespace" in only(found(self.MADE(), group_by="node", **KEYS_FILE))


class TestKeys:
    @pytest.mark.parametrize(
        ("own", "key", "allowed"),
        [
            ({"shedule": "@daily"}, "rents.shedule", "schedule"),
            ({"tasks": {"train": {"retrys": 1}}}, "rents.tasks.train.retrys", "retries"),
            ({"tagged": {"heavy": {"pools": "gpu"}}}, "rents.tagged.heavy.pools", "pool"),
            ({"params": {"size": {**SIZE, "minimun": 1}}}, "rents.params.size.minimun", "minimum"),
            ({"mapped": {"flats": {"keys": "keys", "size": "size", "of": 1}}}, "rents.mapped.flats.of", "keys, size"),
        ],
    )
    def test_an_unknown_key_is_named_with_the_allowed_ones(self, found: Callable, own: dict, key: str, allowed: str):
        problem = found(**own)[0]
        assert re.match(rf"airflow.yml: {re.escape(key)}: unknown key; allowed here: .*\b{allowed}\b", problem)

    def test_an_unknown_key_among_the_defaults_is_named_once(self):
        airflow = {"default": {**DEFAULT, "retrys": 1}, "rents": OWN, "flats": OWN}
        assert only(read(airflow)[1]).startswith("airflow.yml: default.retrys: unknown key; allowed here: ")

    @pytest.mark.parametrize(
        ("own", "words"),
        [
            ({"retries": "two"}, "rents.retries = 'two': Input should be a valid integer"),
            ({"group_by": "tag"}, "rents.group_by = 'tag': Input should be 'node', 'namespace' or 'memory'"),
            ({"timezone": "Brazil"}, "rents.timezone = 'Brazil': no such time zone"),
            ({"start_date": "today"}, "rents.start_date = 'today': write it as YYYY-MM-DD"),
            (
                {"tasks": {"train": {"trigger_rule": "soon"}}},
                "rents.tasks.train.trigger_rule = 'soon': Input should be",
            ),
            (
                {"tasks": {"train": {"timeout_minutes": 0}}},
                "rents.tasks.train.timeout_minutes = 0: Input should be greater",
            ),
            ({"description": None}, "rents.description = None: Input should be a valid string"),
        ],
    )
    def test_an_impossible_value(self, found: Callable, own: dict, words: str):
        assert only(found(**own)).startswith(f"airflow.yml: {words}")

    def test_a_missing_one(self):
        remedy = "name one sentence, for Airflow's list and the MLflow experiment"
        problems = read({"default": DEFAULT, "rents": {"doc": "x"}})[1]
        assert only(problems) == f"airflow.yml: rents.description: missing; {remedy}"

    def test_a_block_that_is_none(self):
        assert (
            only(read({"default": DEFAULT, "rents": None})[1])
            == "airflow.yml: rents = None: not a block of settings; write them below it as `key: value`"
        )

    def test_settings_of_a_task_that_is_none(self, found: Callable):
        problem = only(found(tasks={"trian": {"retries": 1}}))
        assert problem == (
            "airflow.yml: rents.tasks.trian: the DAG has no such task; it has close_run, open_run, score, split, train"
        )

    @pytest.mark.parametrize(
        ("warnings", "message"),
        [
            ({"scores": "score"}, "rents.warnings.scores: it must be one of the tasks score, split, train"),
            ({"score": "scores"}, "rents.warnings.score = 'scores': the task makes no such dataset; it makes score"),
        ],
    )
    def test_warnings_of_a_task_or_dataset_that_is_not_there(self, found: Callable, warnings: dict, message: str):
        assert only(found(warnings=warnings)) == f"airflow.yml: {message}"

    def test_settings_of_a_tag_that_no_node_has(self, found: Callable):
        problem = only(found(chain(tags=["heavy"]), tagged={"haevy": {"retries": 1}}))
        assert problem == "airflow.yml: rents.tagged.haevy: no node of the pipeline has this tag (they have: heavy)"

    def test_a_wrong_word_in_the_defaults_of_a_parameter_is_looked_for_there(self):
        default = {**DEFAULT, "params": {"use_mlflow": {**DEFAULT["params"]["use_mlflow"], "titel": "x"}}}
        own = {**OWN, "params": {"use_mlflow": {"section": "More"}, "size": SIZE}}
        assert only(read({"default": default, "rents": own})[1]).startswith(
            "airflow.yml: default.params.use_mlflow.titel: unknown key; allowed here: "
        )

    def test_a_type_that_nothing_says(self, found: Callable):
        own = {"title": "Size", "description": "Keys per task.", "default": 3}
        assert only(found(params={"size": own})) == (
            "airflow.yml: rents.params.size.type: missing; name the JSON type, or let kedro_parameters point to a "
            "field of the pipeline's PARAMETERS, which has one"
        )

    def test_parameters_that_are_no_mapping(self, found: Callable):
        assert only(found(params=["size"])).startswith(
            "airflow.yml: rents.params = ['size']: Input should be a valid dict"
        )
        assert only(found(params={"size": 3})).startswith(
            "airflow.yml: rents.params.size = 3: Input should be a valid dict"
        )

    def test_a_variable_of_make_that_sets_nothing(self, found: Callable):
        assert only(found(params={"size": SIZE}, make={"SIZE": "sise"})) == (
            "airflow.yml: rents.make.SIZE: the DAG has no parameter sise; did you mean size?"
        )

    def test_a_default_that_its_own_form_would_refuse(self, found: Callable):
        problem = only(found(params={"size": {**SIZE, "default": 0}}))
        assert problem == "airflow.yml: rents.params.size.default = 0: 0 is less than the minimum of 1"

    def test_a_target_without_a_parameter_of_the_dag(self, found: Callable):
        problem = only(found(params={"size": SIZE}, kedro_parameters={"sise": "rents.test_share"}))
        assert problem == "airflow.yml: rents.kedro_parameters.sise: the DAG has no parameter sise; did you mean size?"

    def test_a_target_that_is_no_kedro_parameter(self, found: Callable):
        problem = only(found(params={"size": SIZE}, kedro_parameters={"size": "rents.test_size"}))
        assert problem == (
            "airflow.yml: rents.kedro_parameters.size = 'rents.test_size': parameters*.yml have no rents.test_size; "
            "declare it there with its default"
        )

    @pytest.mark.parametrize(
        ("pod", "words"),
        [
            ({"specs": {}}, "pod_override.specs: unknown key; allowed here: "),
            (
                {"spec": {"containers": [{"name": "base", "resource": {}}]}},
                "pod_override.spec.containers.0.resource: unknown key; ",
            ),
            (
                {"spec": {"containers": {"name": "base"}}},
                "pod_override.spec.containers = {'name': 'base'}: a list is expected",
            ),
        ],
    )
    def test_a_pod_that_kubernetes_would_not_know(self, found: Callable, pod: dict, words: str):
        assert f"rents.tasks.train.{words}" in only(found(tasks={"train": {"pod_override": pod}}))


def test_all_problems_come_at_once(found: Callable):
    problems = found(catalog={}, schedule="never", tasks={"trian": {}}, kedro_parameters={"a": "b"})
    assert len(problems) == 6


def test_old_names_of_promotion_lead_to_the_new_ones(found: Callable):
    spec = {"type": "string", "default": "auto", "title": "Promotion", "description": "Who decides."}
    problems = found(params={"promotion": spec}, kedro_parameters={"promotion": "rents.promotion.mode"})
    assert "airflow.yml: rents.params.promotion: the field is called promotion_mode since 0.3.0; rename it" in problems
    assert found(promotion={"model": "rents"}) == [
        "airflow.yml: rents.promotion: it is called registered_model since 0.3.0, and its `model` is `name`; "
        "rename both"
    ]
