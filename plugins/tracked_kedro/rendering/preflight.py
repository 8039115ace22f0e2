"""Checks before `make dags` writes anything: what would fail, or lose data, only when the DAG runs."""

from __future__ import annotations

import keyword
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import jsonschema
from croniter import croniter
from croniter.croniter import CroniterError
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import GroupedNodes, Pipeline
from kedro_mlflow.pipeline.pipeline_ml import PipelineML

from tracked_kedro.errors import did_you_mean
from tracked_kedro.names import PROMOTION, PROMOTION_MODE
from tracked_kedro.rendering import grouping, pods
from tracked_kedro.rendering.blocks import FILE, Block, TaskSettings
from tracked_kedro.rendering.lasting import Lasting, lasting, timeout_problems
from tracked_kedro.rendering.shown import OWN_TASKS, PROMOTION_TASKS, STAGE_IDS

# Names that a generated DAG file uses itself: its tasks are variables too.
TAKEN = {"tasks", "stages", "Asset", "datetime", "timedelta"}
# Airflow's limit.
_TASK_ID_LENGTH = 250


def problems(
    blocks: Mapping[str, Block],
    pipelines: Mapping[str, Pipeline],
    catalog: DataCatalog,
    parameters: Mapping[str, Any],
) -> Iterator[str]:
    """Everything that stands against rendering, each with its place and the remedy.

    Args:
        blocks: of airflow.yml, by pipeline.
        pipelines: the registered ones.
        catalog: of the project.
        parameters: Kedro's, nested.
    """
    for name, block in blocks.items():
        yield from schedule_problems(name, block)
        yield from parameter_problems(name, block, parameters)
        if name not in pipelines:
            yield f"{FILE}: {name}: no pipeline of this name is registered{instead(name, pipelines)}"
            continue
        pipeline = pipelines[name]
        if isinstance(pipeline, PipelineML):
            yield (
                f"{name}: registered as a PipelineML of kedro-mlflow, which runs as a whole, not task by task; "
                "register its `.training` under this name, and the PipelineML under another"
            )
            continue
        groups = grouping.grouped(pipeline, catalog, block.group_by)
        yield from _mapped(name, block, pipeline, groups, catalog)
        yield from _task_ids(name, block, pipeline, groups)
        yield from _warnings(name, block, pipeline, groups)
        yield from _training_inputs(name, block, pipeline, groups)
        yield from _cycle(name, block, groups)
        yield from _borders(name, pipeline, groups, catalog)
        yield from timeout_problems(name, how_long(block, pipeline, groups))


def how_long(block: Block, pipeline: Pipeline, groups: list[GroupedNodes]) -> Lasting:
    """How long a DAG run may last, by the tasks that it has."""
    asks = block.registered_model.answer_within_hours if block.registered_model else None
    return lasting(block, _tags_of_tasks(block, pipeline, groups), asks)


def _tags_of_tasks(block: Block, pipeline: Pipeline, groups: list[GroupedNodes]) -> dict[str, set[str]]:
    """Tags of the nodes of each task of a DAG, those that the template adds too; by task id."""
    tags = {node.name: node.tags for node in pipeline.nodes}
    own = [*OWN_TASKS, *(["approve"] if block.registered_model else [])]
    found: dict[str, set[str]] = {task: set() for task in own}
    for group in groups:
        task = grouping.task_id(group)
        found[task] = {tag for node in group.nodes for tag in tags[node]}
        if group.name in block.mapped:
            found[f"{task}_shards"] = set()
    return found


def instead(name: str, known: Collection[str]) -> str:
    """What else a name could be, as the end of a sentence."""
    return did_you_mean(name, known) or f"; known are {', '.join(sorted(known))}"


def schedule_problems(name: str, block: Block) -> Iterator[str]:
    """Of a schedule that no clock knows."""
    if block.schedule is None:
        return
    place = f"{FILE}: {name}.schedule = {block.schedule!r}"
    remedy = "write five fields (minute hour day month weekday) or a preset such as @monthly; null is by hand only"
    if not block.schedule.startswith("@") and len(block.schedule.split()) != 5:
        yield f"{place}: not a cron expression of five fields; {remedy}"
        return
    try:
        croniter(block.schedule).get_next()
    except (CroniterError, ValueError) as error:
        yield f"{place}: {error}; {remedy}"


def parameter_problems(name: str, block: Block, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Of fields of the form: their defaults, what they set, and make's variables."""
    if PROMOTION in block.params.keys() | block.kedro_parameters.keys():
        place = f"{FILE}: {name}.{'params' if PROMOTION in block.params else 'kedro_parameters'}.{PROMOTION}"
        yield f"{place}: the field is called {PROMOTION_MODE} since 0.3.0; rename it"
    for key, spec in block.params.items():
        try:
            jsonschema.validate(spec.default, spec.schema_of_values())
        except (jsonschema.ValidationError, jsonschema.SchemaError) as error:
            yield f"{FILE}: {name}.params.{key}.default = {spec.default!r}: {error.message}"
    for key, target in block.kedro_parameters.items():
        place = f"{FILE}: {name}.kedro_parameters.{key}"
        if key not in block.params:
            yield f"{place}: the DAG has no parameter {key}{instead(key, block.params)}"
        branch: Any = parameters
        for part in target.split("."):
            if not isinstance(branch, Mapping) or part not in branch:
                yield f"{place} = {target!r}: parameters*.yml have no {target}; declare it there with its default"
                break
            branch = branch[part]
    for variable, made in block.make.items():
        parameter = made if isinstance(made, str) else made.parameter
        if parameter not in block.params:
            place = f"{FILE}: {name}.make.{variable}"
            yield f"{place}: the DAG has no parameter {parameter}{instead(parameter, block.params)}"


def _mapped(
    name: str, block: Block, pipeline: Pipeline, groups: list[GroupedNodes], catalog: DataCatalog
) -> Iterator[str]:
    namespaces = {group.name for group in groups if group.type == "namespace"}
    for namespace, mapped in block.mapped.items():
        place = f"{FILE}: {name}.mapped.{namespace}"
        if block.group_by != "namespace":
            yield f"{place}: only namespaces are mapped; set {name}.group_by to namespace"
        elif namespace not in namespaces:
            known = ", ".join(sorted(namespaces)) or "none"
            yield f"{place}: the pipeline has no namespace {namespace} at its top level (it has: {known})"
        if mapped.size not in block.params:
            yield f"{place}.size = {mapped.size!r}: the DAG has no parameter of this name; add it to {name}.params"
        makers = [node.name for node in pipeline.nodes if mapped.keys in node.outputs]
        if mapped.keys not in catalog:
            yield (
                f"{place}.keys = {mapped.keys!r}: the catalog has no such dataset; name the one that lists the keys, "
                "stored as a file"
            )
        elif makers and _in_memory(mapped.keys, catalog):
            yield (
                f"{place}.keys = {mapped.keys!r}: made by node {makers[0]} and kept in memory only, so that the task "
                f"which splits it would find nothing; store it in the catalog (type: json.JSONDataset)"
            )


def _task_ids(name: str, block: Block, pipeline: Pipeline, groups: list[GroupedNodes]) -> Iterator[str]:
    owners: dict[str, list[str]] = defaultdict(list)
    for own in (*OWN_TASKS, *(["approve"] if block.registered_model else [])):
        owners[own].append("the DAG's own task")
    for stage in STAGE_IDS:
        owners[stage].append("a box of the DAG's graph")
    for group in groups:
        what = "namespace" if group.type == "namespace" else "node" if len(group.nodes) == 1 else "nodes"
        task = grouping.task_id(group)
        owners[task].append(f"{what} {group.name if what != 'nodes' else ', '.join(group.nodes)}")
        if group.name in block.mapped:
            owners[f"{task}_shards"].append(f"the DAG's own task that splits namespace {group.name}")
        if not task.isidentifier() or keyword.iskeyword(task) or task in TAKEN:
            yield f"{name}: {owners[task][-1]} would be task {task!r}, which cannot be a name in Python; rename it"
        if len(task) > _TASK_ID_LENGTH:
            yield (
                f"{name}: {owners[task][-1]} would be a task whose id is {len(task)} characters long, and Airflow "
                f"takes {_TASK_ID_LENGTH}; put them into one namespace, with {name}.group_by: namespace"
            )
    for task in PROMOTION_TASKS if block.registered_model else ():
        if task not in owners:
            yield (
                f"{FILE}: {name}.registered_model: the pipeline has no node {task}; end it with "
                f"tracked_kedro.promotion.pipeline.promotion({name!r})"
            )
    tasks = owners.keys() - set(STAGE_IDS)
    for task, who in owners.items():
        if len(who) > 1:
            yield f"{name}: {' and '.join(who)} would both be task {task}; rename one of them"
    for task in block.tasks.keys() - tasks:
        yield f"{FILE}: {name}.tasks.{task}: the DAG has no such task; it has {', '.join(sorted(tasks))}"
    for task in sorted(set(block.train) - tasks):
        yield f"{FILE}: {name}.train: the DAG has no task {task!r}; it has {', '.join(sorted(tasks))}"
    for tag in block.tagged.keys() - {tag for node in pipeline.nodes for tag in node.tags}:
        known = ", ".join(sorted({tag for node in pipeline.nodes for tag in node.tags})) or "none"
        yield f"{FILE}: {name}.tagged.{tag}: no node of the pipeline has this tag (they have: {known})"
    yield from pod_problems(name, block)


def pod_problems(name: str, block: Block) -> Iterator[str]:
    """Of keys that a pod does not have."""
    every: dict[str, TaskSettings] = {f"tasks.{key}": value for key, value in block.tasks.items()}
    every |= {f"tagged.{key}": value for key, value in block.tagged.items()}
    for key, settings in every.items():
        for problem in pods.problems(settings.pod_override or {}):
            yield f"{FILE}: {name}.{key}.pod_override.{problem}"


def _warnings(name: str, block: Block, pipeline: Pipeline, groups: list[GroupedNodes]) -> Iterator[str]:
    outputs = {node.name: node.outputs for node in pipeline.nodes}
    made_by = {grouping.task_id(group): [one for node in group.nodes for one in outputs[node]] for group in groups}
    taken = {*(PROMOTION_TASKS if block.registered_model else ()), *block.mapped}
    for task, dataset in block.warnings.items():
        place = f"{FILE}: {name}.warnings.{task}"
        if task not in made_by or task in taken:
            yield f"{place}: it must be one of the tasks {', '.join(sorted(made_by.keys() - taken))}"
        elif dataset not in made_by[task]:
            yield f"{place} = {dataset!r}: the task makes no such dataset; it makes {', '.join(sorted(made_by[task]))}"


def _training_inputs(name: str, block: Block, pipeline: Pipeline, groups: list[GroupedNodes]) -> Iterator[str]:
    """A task for some of the keys cannot say what the whole run learns from."""
    makers = {node.name for node in pipeline.nodes if f"{name}_training_inputs" in node.outputs}
    for group in groups:
        if block.registered_model and group.name in block.mapped and makers & set(group.nodes):
            yield (
                f"{name}: dataset {name}_training_inputs is made in the mapped namespace {group.name}, by each of its "
                "tasks; let a node before it make it"
            )


def _cycle(name: str, block: Block, groups: list[GroupedNodes]) -> Iterator[str]:
    if circle := grouping.cycle(groups):
        yield (
            f"{name}: grouped by {block.group_by}, tasks would wait for each other in a circle: {' → '.join(circle)}; "
            f"put the nodes in between into the same namespace, split it, or set {FILE}: {name}.group_by: node"
        )


def _borders(name: str, pipeline: Pipeline, groups: list[GroupedNodes], catalog: DataCatalog) -> Iterator[str]:
    """A dataset in memory ends with the task that made it."""
    task_of = {node: grouping.task_id(group) for group in groups for node in group.nodes}
    readers = defaultdict(list)
    for node in pipeline.nodes:
        for dataset in node.inputs:
            readers[dataset].append(node.name)
    for maker in pipeline.nodes:
        for dataset in maker.outputs:
            beyond = [reader for reader in readers[dataset] if task_of[reader] != task_of[maker.name]]
            if beyond and _in_memory(dataset, catalog):
                yield (
                    f"{name}: dataset {dataset} would be lost between tasks: it is kept in memory, and made by node "
                    f"{maker.name} (task {task_of[maker.name]}), but read by {_tasks_of(beyond, task_of)}; either "
                    f"store it (an entry {dataset} in conf/base/catalog*.yml) or run these nodes in one task "
                    f"({FILE}: {name}.group_by: memory, or one namespace for them)"
                )


def _tasks_of(nodes: list[str], task_of: Mapping[str, str]) -> str:
    return " and ".join(f"node {node} (task {task_of[node]})" for node in nodes)


def _in_memory(dataset: str, catalog: DataCatalog) -> bool:
    # Without an entry or a pattern for it, Kedro keeps it in memory.
    return dataset not in catalog or isinstance(catalog.get(dataset), MemoryDataset)
