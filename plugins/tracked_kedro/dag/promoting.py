"""What the task `promote` does where another version has become champion since the month was compared.

A promotion that needs nobody is compared again, by the same nodes and rules, with the champion of now: a later month
still wins, an earlier one does not. What a person has approved was a comparison with another champion: it ends there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from tracked_kedro import names
from tracked_kedro.errors import PermanentError
from tracked_kedro.kedro_side.sessions import Session
from tracked_kedro.parent_run import runs

if TYPE_CHECKING:
    from tracked_kedro.promotion.champion import ChampionChangedError

log = logging.getLogger(__name__)

# Each try but the last has met another champion than the one before.
_TRIES = 20


@dataclass(frozen=True)
class Steps:
    """What `promote` and `decide` do for one DAG run, whoever's pipeline it is.

    Attributes:
        promote: carries the last decision out.
        compare: decides again beside the champion of now; the decision.
        first: the task that a person clears to have that done.
    """

    promote: Callable[[], object]
    compare: Callable[[], Mapping[str, Any]]
    first: Callable[[], str]


def of_session(run_id: str | None, session: Session, nodes: Sequence[str]) -> Steps:
    """The steps of a pipeline of this repository's own project: nodes, run in the parent run.

    Args:
        run_id: the parent, None where nothing is tracked.
        session: of the DAG run, with the approval.
        nodes: of the task `promote`.
    """

    def compare() -> Mapping[str, Any]:
        session.run(nodes=_comparing(session.pipeline))
        decision: Mapping[str, Any] = session.load_dataset(f"{session.pipeline}_decision")
        return decision

    return Steps(
        # Resumed for each: a run knows the failure that it forgets by the tags that it began with.
        promote=lambda: runs.in_parent(run_id, lambda: session.run(nodes=nodes)),
        compare=lambda: runs.in_parent(run_id, compare),
        first=lambda: _comparing(session.pipeline)[0],
    )


def carried_out(steps: Steps, asked: bool) -> str | None:
    """Promote; why nothing was promoted in the end, None where it was, or where that was decided before.

    Args:
        steps: of the DAG run.
        asked: whether a person has approved.

    Raises:
        PermanentError: a person has, and another champion came meanwhile; or champions came faster than comparisons.
    """
    decision: Mapping[str, Any] | None = None
    for _ in range(_TRIES):
        try:
            steps.promote()
        except Exception as error:
            changed = _changed(error)
            if changed is None:
                raise
            if asked:
                raise PermanentError(
                    f"{changed}. The approval was about the old comparison: clear {steps.first()} and the tasks after "
                    "it, and you are asked again"
                ) from error
            log.warning("%s: compared again with the champion of now", changed)
            decision = steps.compare()
        else:
            return None if decision is None or decision["promote"] else str(decision["reason"])
    raise PermanentError(f"Another champion came {_TRIES} times while this was compared; clear {names.DECIDE_TASK}")


def end_task(reason: str | None, context: Any) -> None:
    """Skip the task where nothing was promoted; Airflow does not tell its callbacks why, so that XCom keeps it.

    Args:
        reason: of `carried_out`.
        context: what Airflow tells the task.
    """
    if reason is not None:
        context["ti"].xcom_push(key=names.REASON, value=reason)
        raise AirflowSkipException(f"Not promoted: {reason}")


def _changed(error: BaseException) -> ChampionChangedError | None:
    """The error, where a champion came meanwhile; datasets wrap what they raise."""
    from tracked_kedro.promotion.champion import ChampionChangedError

    link: BaseException | None = error
    while link is not None and not isinstance(link, ChampionChangedError):
        link = link.__cause__
    return link


def _comparing(pipeline: str) -> list[str]:
    """Nodes from whatever reads the champion to `decide`, in their order."""
    from kedro.framework.project import pipelines

    found = pipelines[pipeline].from_inputs(f"{pipeline}_champion").to_nodes(names.DECIDE_TASK)
    return [node.name for node in found.nodes]
