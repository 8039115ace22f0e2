"""What the task `promote` does where another version has become champion since the month was compared.

A promotion that needs nobody is compared again, by the same nodes and rules, with the champion of now: a later month
still wins, an earlier one does not. What a person has approved was a comparison with another champion: it ends there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from tracked_kedro import names
from tracked_kedro.errors import PermanentError
from tracked_kedro.kedro_side.sessions import Session
from tracked_kedro.parent_run import runs

if TYPE_CHECKING:
    from tracked_kedro.promotion.champion import ChampionChangedError

log = logging.getLogger(__name__)

# Each try but the last has met another champion than the one before.
_TRIES = 20


def carried_out(run_id: str | None, session: Session, nodes: Sequence[str], asked: bool) -> str | None:
    """Run the nodes of `promote`, in the parent run; why nothing was promoted in the end, None where it was.

    Args:
        run_id: the parent, None where nothing is tracked.
        session: of the DAG run, with the approval.
        nodes: of the task.
        asked: whether a person has approved.

    Raises:
        PermanentError: a person has, and another champion came meanwhile; or champions came faster than comparisons.
    """
    for tried in range(_TRIES):
        try:
            # Resumed for each: a run knows the failure that it forgets by the tags that it began with.
            runs.in_parent(run_id, lambda: session.run(nodes=nodes))
        except Exception as error:
            changed = _changed(error)
            if changed is None:
                raise
            again = _comparing(session.pipeline)
            if asked:
                raise PermanentError(
                    f"{changed}. The approval was about the old comparison: clear {again[0]} and the tasks after it, "
                    "and you are asked again"
                ) from error
            log.warning("%s: compared again with the champion of now", changed)
            runs.in_parent(run_id, partial(session.run, nodes=again))
        else:
            if not tried:
                return None
            decision = runs.in_parent(run_id, lambda: session.load_dataset(f"{session.pipeline}_decision"))
            return None if decision["promote"] else str(decision["reason"])
    raise PermanentError(f"Another champion came {_TRIES} times while this was compared; clear {names.DECIDE_TASK}")


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
