"""What Airflow's pages call the tasks of a DAG, and the stage of its graph that each of them stands in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from tracked_kedro.names import (
    APPROVE_TASK,
    CLOSE_RUN_TASK,
    DECIDE_TASK,
    OPEN_RUN_TASK,
    PROMOTE_TASK,
    SHARDS_SUFFIX,
    STAGE_PREFIX,
)

PREPARE, TRAIN, DECIDE = "prepare", "train", "decide"
#: What `dag.shown` calls them in the DAG, where no task may be called so.
STAGE_IDS = tuple(f"{STAGE_PREFIX}{stage}" for stage in (PREPARE, TRAIN, DECIDE))
#: Tasks that the template adds to those of the pipeline.
OWN_TASKS = (OPEN_RUN_TASK, CLOSE_RUN_TASK)
#: Tasks between which it puts `approve`.
PROMOTION_TASKS = ("register", DECIDE_TASK, PROMOTE_TASK)
#: Tasks that are the same in all DAGs, and what they are called.
OWN_TITLES = {
    OPEN_RUN_TASK: "Open the MLflow run",
    CLOSE_RUN_TASK: "Close the MLflow run",
    "register": "Register a model version",
    DECIDE_TASK: "Decide by the rules",
    APPROVE_TASK: "Ask a person",
    PROMOTE_TASK: "Promote to champion",
}
# A longer one makes boxes of the graph so wide that no screen holds it.
_LONGEST = 40
_ENDS = ".,;:("


@dataclass(frozen=True)
class Shown:
    """What the template is given of it.

    Attributes:
        titles: by task id.
        stages: by task id; empty where the graph has none.
    """

    titles: dict[str, str]
    stages: dict[str, str]


class Group(Protocol):
    """Nodes that share a task: Kedro's, or a hosted project's."""

    @property
    def name(self) -> str:
        """Unique among the groups."""

    @property
    def nodes(self) -> list[str]:
        """Names of its nodes."""

    @property
    def dependencies(self) -> list[str]:
        """Names of the groups that it waits for."""


def shown(
    groups: Collection[Group],
    ids: Mapping[str, str],
    docs: Mapping[str, str | None],
    *,
    training: Collection[str],
    mapped: Collection[str] = (),
    promotion: Collection[str] = (),
) -> Shown:
    """What the tasks of a DAG are called, and where they stand.

    Args:
        groups: of nodes that share a task.
        ids: task id by the name of a group.
        docs: docstring by node.
        training: ids of tasks that train, beside those that are mapped.
        mapped: names of groups that are mapped over shards, which a task of their own lists.
        promotion: ids of those tasks that register, decide and promote.
    """
    shards = {ids[name]: f"{ids[name]}{SHARDS_SUFFIX}" for name in mapped if name in ids}
    trains = {name for name in ids if ids[name] in training or name in mapped}
    named = {ids[name]: title for name, title in titles(groups, docs).items()}
    named |= {lists: f"List shards of {words(task).lower()}" for task, lists in shards.items()}
    named |= {task: OWN_TITLES[task] for task in (*OWN_TASKS, *promotion)}
    placed = {ids[name]: stage for name, stage in stages(groups, trains).items()}
    if placed:
        placed |= dict.fromkeys(shards.values(), TRAIN) | dict.fromkeys(promotion, DECIDE)
    return Shown(named, placed)


def titles(groups: Collection[Group], docs: Mapping[str, str | None]) -> dict[str, str]:
    """What each group is called: by the docstring of its only node, where that begins short, or by its name.

    Args:
        groups: of nodes that share a task.
        docs: docstring by node.

    Two that would be called the same, for they call one function, are called by their names.
    """
    said = {
        group.name: (len(group.nodes) == 1 and _clause(docs.get(group.nodes[0]))) or words(group.name)
        for group in groups
    }
    often = Counter(said.values())
    return {name: title if often[title] == 1 else words(name) for name, title in said.items()}


def words(name: str) -> str:
    """A name as words.

    >>> words("train_test_split")
    'Train test split'
    """
    spaced = " ".join(name.replace("_", " ").replace(".", " ").split()) or name
    return spaced[:1].upper() + spaced[1:]


def _clause(doc: str | None) -> str | None:
    """What a docstring begins with, if it is more than a word and short enough for a box of the graph."""
    first = next(iter((doc or "").strip().splitlines()), "").replace("`", "")
    ends = [place for end in _ENDS if (place := first.find(end)) > 0]
    clause = first[: min(ends, default=len(first))].strip()
    return clause if len(clause.split()) > 1 and len(clause) <= _LONGEST else None


def stages(groups: Collection[Group], training: Collection[str]) -> dict[str, str]:
    """The stage of each group: prepare, train or decide; empty where no group is known to train.

    What trains, and what lies between two that train, is *train*; whatever waits for it is *decide*, all else is
    *prepare*. So stages never wait for each other in a circle.

    Args:
        groups: of nodes that share a task.
        training: names of those that train.
    """
    before = {group.name: set(group.dependencies) for group in groups}
    after: dict[str, set[str]] = {name: set() for name in before}
    for name, waits_for in before.items():
        for other in waits_for:
            after[other].add(name)
    anchors = set(training) & before.keys()
    if not anchors:
        return {}
    later, earlier = _reached(anchors, after), _reached(anchors, before)
    trained = anchors | (later & earlier)
    return {name: TRAIN if name in trained else DECIDE if name in later else PREPARE for name in before}


def _reached(start: set[str], ways: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    to_follow = list(start)
    while to_follow:
        for name in ways[to_follow.pop()] - found:
            found.add(name)
            to_follow.append(name)
    return found
