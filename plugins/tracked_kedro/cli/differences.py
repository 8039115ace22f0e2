"""What a run and its repetition do not have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tracked_kedro.paging import paged

# Equal to the last bit on one machine; other processors round sums differently.
TOLERANCE = 1e-6
# What tells of the machine and the moment.
_OF_THE_MOMENT = ("seconds", "series_done")


def differences(before: MlflowClient, parent: Run, after: MlflowClient, again: Run) -> Iterator[str]:
    """What two parent runs, and their child runs, do not have in common; first what others follow from."""
    ones, others = (_digests(run) for run in (parent, again))
    for name in sorted(ones.keys() & others.keys()):
        if ones[name] != others[name]:
            yield f"input {name}: digest was {ones[name]}, is {others[name]}"
    children, repeated = _children(before, parent), _children(after, again)
    if children.keys() != repeated.keys():
        yield f"series were {sorted(children)}, are {sorted(repeated)}"
    for series in sorted(children.keys() & repeated.keys()):
        yield from _of_values(f"{series}, parameter", children[series].data.params, repeated[series].data.params)
        yield from _of_values(f"{series}, metric", children[series].data.metrics, repeated[series].data.metrics)
    # What compares with models of the store, such as a champion's score, is in the first run alone, and so is what only
    # a scheduled run does.
    common = parent.data.metrics.keys() & again.data.metrics.keys()
    pairs = ({name: run.data.metrics[name] for name in common} for run in (parent, again))
    yield from _of_values("metric", *pairs)


def _of_values(label: str, ones: Mapping[str, Any], others: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(ones.keys() | others.keys()):
        if name.startswith(_OF_THE_MOMENT) or name.endswith(_OF_THE_MOMENT):
            continue
        one, other = ones.get(name), others.get(name)
        if not _equal(one, other):
            yield f"{label} {name} was {one}, is {other}"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (one != one and other != other)
    return one == other


def _children(client: MlflowClient, parent: Run) -> dict[str, Run]:
    query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}' AND attributes.status = 'FINISHED'"
    found = paged(client.search_runs, [parent.info.experiment_id], query)
    return {run.data.tags.get("series", run.info.run_name): run for run in found}


def _digests(run: Run) -> dict[str, str]:
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return {one.dataset.name: one.dataset.digest for one in inputs}
