"""DAG files of hosted projects: each is asked what it consists of, checked, and rendered from the same template."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
from slugify import slugify

from tracked_kedro.errors import TrackedKedroError
from tracked_kedro.hosting import grouping
from tracked_kedro.hosting.building import state
from tracked_kedro.hosting.description import Description, describe
from tracked_kedro.hosting.project import is_hosted
from tracked_kedro.hosting.task_ids import task_ids
from tracked_kedro.kedro_side.plain_values import PLAIN
from tracked_kedro.names import APPROVE_TASK, PROMOTION, PROMOTION_MODE, REGISTERED_MODEL
from tracked_kedro.rendering import hosted_preflight, preflight
from tracked_kedro.rendering.block_reading import read_blocks
from tracked_kedro.rendering.blocks import FILE
from tracked_kedro.rendering.completion import completed
from tracked_kedro.rendering.hosted_blocks import HostedBlock, defaults
from tracked_kedro.rendering.images import with_image
from tracked_kedro.rendering.lasting import lasting, timeout_problems
from tracked_kedro.rendering.shown import OWN_TASKS, PROMOTION_TASKS, STAGE_IDS, Shown, shown

TEMPLATE = Path(__file__).parent / "templates" / "dag.py.j2"
_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


@dataclass(frozen=True)
class HostedDag:
    """The text of a DAG file, the block that it was made of, and what a person should know about it."""

    text: str
    block: HostedBlock
    notes: tuple[str, ...]


def hosted_dags(airflow: Mapping[str, Any]) -> tuple[dict[str, HostedDag], list[str]]:
    """The DAG of each hosted project that can be rendered, and every problem of the others.

    Args:
        airflow: content of `airflow.yml`.
    """
    found: dict[str, HostedDag] = {}
    problems: list[str] = []
    for name, own in sorted(airflow.items()):
        if not is_hosted(own):
            continue
        # Twice: what a project consists of can be asked only where its block says where it is.
        blocks, faults = read_blocks(airflow, {name: _joined(name, own, airflow, {})}, HostedBlock)
        if not faults and (lacks := state(blocks[name].hosted(name))):
            faults = [f"{FILE}: {lacks}"]
        if not faults:
            try:
                described = describe(blocks[name].hosted(name))
            except TrackedKedroError as error:
                faults = [f"{FILE}: {name}: {error}"]
            else:
                joined = _joined(name, own, airflow, described.parameters)
                blocks, faults = read_blocks(airflow, {name: joined}, HostedBlock)
                if not faults:
                    dag, faults = _dag(name, blocks[name], joined, described)
                    found[name] = dag
        problems += faults
    return found, problems


def _joined(
    name: str, own: Mapping[str, Any], airflow: Mapping[str, Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """The block with the defaults; a field of the form is described by the parameter that it sets."""
    whole = {"default": airflow.get("default") or {}, name: defaults(name, own)}
    joined: dict[str, Any] = completed(whole, parameters, lambda pipeline: None)[name]
    if not isinstance(joined.get("params"), Mapping):
        return joined
    mode = own[PROMOTION].get("mode", "auto") if isinstance(own.get(PROMOTION), Mapping) else None
    targets = {key: target for key, target in joined["kedro_parameters"].items() if key != PROMOTION_MODE}
    params = {}
    for key, spec in joined["params"].items():
        if key == PROMOTION_MODE:
            spec = {**spec, "default": mode}
        elif isinstance(spec, Mapping):
            about = {"title": key, "description": f"Parameter {targets.get(key, key)} of the project."}
            spec = {**_typed(spec.get("default")), **about, **spec}
        params[key] = spec
    return {**joined, "params": params, "kedro_parameters": targets}


def _typed(value: Any) -> dict[str, Any]:
    kind = _JSON_TYPES.get(type(value))
    if kind is None:
        return {"type": ["null", "string"], "pattern": PLAIN, "default": None}
    return {"type": kind, **({"pattern": PLAIN} if kind == "string" else {})}


def _dag(
    name: str, block: HostedBlock, joined: Mapping[str, Any], described: Description
) -> tuple[HostedDag, list[str]]:
    by = block.group_by or grouping.chosen(described)
    groups = grouping.grouped(described, by)
    taken = {
        *OWN_TASKS,
        *STAGE_IDS,
        *preflight.TAKEN,
        "approve",
        *(PROMOTION_TASKS if block.track.model else ()),
    }
    ids = task_ids([group.name for group in groups], taken)
    own = [*OWN_TASKS, *(("register",) if block.track.model else ())]
    own += ["decide", "approve", "promote"] if block.promotion else []
    asks = block.promotion.answer_within_hours if block.promotion else None
    tags = {node.name: node.tags for node in described.nodes}
    tasks = {ids[group.name]: {tag for node in group.nodes for tag in tags[node]} for group in groups}
    lasts = lasting(block, {**dict.fromkeys(own, ()), **tasks}, asks)
    problems = [
        *timeout_problems(name, lasts),
        *preflight.schedule_problems(name, block),
        *preflight.parameter_problems(name, block, described.parameters),
        *preflight.pod_problems(name, block),
        *hosted_preflight.problems(name, block, described, groups, ids),
    ]
    nodes = [_Node(node.name, node.tags, SimpleNamespace(__doc__=node.doc)) for node in described.nodes]
    hosted = {
        key: value for key, value in vars(block.hosted(name)).items() if key != "name" and value not in ((), None)
    }
    text = (
        ""
        if problems
        else _template().render(
            **{
                **{
                    key: value
                    for key, value in joined.items()
                    if key not in (PROMOTION, REGISTERED_MODEL, "pipeline", "tasks")
                },
                **lasts.settings(),
            },
            **_promotion(block),
            tasks=_with_image(block, joined["tasks"], joined["tagged"], tasks),
            pipeline_name=name,
            pipeline=SimpleNamespace(nodes=nodes),
            node_objs=groups,
            ids=ids,
            plain=PLAIN,
            **vars(_shown(block, described, groups, ids)),
            hosted=hosted,
        )
    )
    return HostedDag(text, block, tuple(_notes(block, described, by))), problems


def _with_image(
    block: HostedBlock, settings: dict[str, Any], tagged: Mapping[str, Any], tasks: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    """Settings of tasks; where the block names an image, all that need the project run in that."""
    if block.image is None:
        return settings
    model: dict[str, Collection[str]] = dict.fromkeys(PROMOTION_TASKS if block.track.model else (), ())
    return with_image(block.image, settings, {"open_run": (), **tasks, **model}, tagged)


def _shown(
    block: HostedBlock, described: Description, groups: Sequence[grouping.Group], ids: Mapping[str, str]
) -> Shown:
    model = block.track.model
    maker = described.maker(model.dataset) if model else None
    made = [ids[group.name] for group in groups if maker and maker.name in group.nodes]
    return shown(
        groups,
        ids,
        {node.name: node.doc for node in described.nodes},
        training=block.train or made,
        promotion=(*PROMOTION_TASKS, APPROVE_TASK) if block.promotion else PROMOTION_TASKS[:1] if model else (),
    )


def _promotion(block: HostedBlock) -> dict[str, Any]:
    """What the template knows of a promotion: the model and its rules."""
    if block.promotion is None or block.track.model is None:
        return {}
    rules = [rule.model_dump(mode="json", exclude_defaults=True) for rule in block.promotion.rules]
    model = {"name": block.track.model.name, "answer_within_hours": block.promotion.answer_within_hours}
    return {REGISTERED_MODEL: model, "rules": rules}


@dataclass(frozen=True)
class _Node:
    """A node as the template knows Kedro's."""

    name: str
    tags: tuple[str, ...]
    func: SimpleNamespace


def _notes(block: HostedBlock, described: Description, by: str) -> Iterator[str]:
    crossing = grouping.crossing(described)
    if block.group_by is None and crossing:
        yield (
            f"grouped by memory, for {', '.join(crossing)} are in no catalog entry, so that the nodes which hand them "
            "on share a task; entries in the project's catalog give each node a task of its own"
        )
    if block.data == "run":
        made = {output for node in described.nodes for output in node.outputs}
        for dataset, about in described.datasets.items():
            if dataset in made and about.elsewhere:
                yield (
                    f"{dataset} goes to {about.elsewhere[0]} in every run, for that is no path in the project; runs "
                    "overwrite each other there"
                )


def _template() -> jinja2.Template:
    # Set up as kedro-airflow does, which renders the same file for pipelines of this project.
    loader = jinja2.FileSystemLoader(TEMPLATE.parent)
    environment = jinja2.Environment(autoescape=True, loader=loader, lstrip_blocks=True)
    environment.filters["slugify"] = slugify
    return environment.get_template(TEMPLATE.name)
