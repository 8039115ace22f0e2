"""Nodes `register`, `decide` and `promote`: pure functions; the datasets around them talk to the model registry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tracked_kedro.promotion.decision import Decision, as_markdown, judge
from tracked_kedro.promotion.evidence import Candidate, Evidence, Version
from tracked_kedro.promotion.rules import Promotion
from tracked_kedro.promotion.side_by_side import side_by_side

log = logging.getLogger(__name__)


def register(files: Mapping[str, Callable[[], bytes]], evidence: Mapping[str, Any]) -> Candidate:
    """Register the model of this run as a new version, alias `challenger`."""
    return Candidate({name: load() for name, load in files.items()}, Evidence.model_validate(evidence))


def decide(
    challenger: Mapping[str, Any], evidence: Mapping[str, Any], champion: Version | None, promotion: Promotion
) -> tuple[dict[str, Any], str, dict[str, str]]:
    """Decide by the configured rules whether the challenger may become champion.

    Args:
        challenger: {"model": its name, "version": its number or None, "reason": why there is none}.
        evidence: of this run.
        champion: the version that is served now.
        promotion: the rules.

    Returns:
        The decision as data (with its `text`), as Markdown, and as a tag of the run.
    """
    own = Evidence.model_validate(evidence)
    number = champion.number if champion else None
    if challenger["version"] is None:
        decision = Decision(
            model=challenger["model"], version=None, champion=number, promote=False, reason=challenger["reason"]
        )
    elif challenger["version"] == number:
        reason = "it is the champion already"
        decision = Decision(model=challenger["model"], version=number, champion=number, promote=False, reason=reason)
    else:
        before = champion.evidence if champion else None
        promote, reason, outcomes = judge(own, before, promotion, number)
        decision = Decision(
            model=challenger["model"],
            version=challenger["version"],
            champion=number,
            promote=promote,
            reason=reason,
            outcomes=outcomes,
            scores=side_by_side(own, before, promotion.rules),
            remarks=own.remarks,
            pictures=own.pictures,
        )
    decision = decision.model_copy(update={"decided": datetime.now(UTC).isoformat()})
    text = as_markdown(decision)
    log.info("Decision on %s version %s: %s", decision.model, decision.version, decision.reason)
    verdict = "not promoted yet" if decision.promote else "not promoted"
    return {**decision.model_dump(mode="json"), "text": text}, text, {"promotion": f"{verdict}: {decision.reason}"}


def promote(decision: Mapping[str, Any], promotion: Promotion, approval: Mapping[str, str]) -> dict[str, Any]:
    """Make the challenger champion, if the rules allow it and the mode, or a person, does too.

    Args:
        decision: made by `decide`.
        promotion: its `mode` says whether a person has to approve.
        approval: {"by": who, "why": comment} where somebody, or the scheduler in mode "auto", has approved.

    Returns:
        What the registry shall do: {"promote", "model", "version", "champion", "by", "why", "decided"}.
    """
    made = Decision.model_validate({key: value for key, value in decision.items() if key != "text"})
    allowed = made.promote and (promotion.mode == "auto" or (promotion.mode == "approve" and bool(approval)))
    why = made.reason
    if made.promote and not allowed:
        why = "promotion is switched off (never)" if promotion.mode == "never" else "nobody has approved it"
    comment = (approval or {}).get("why")
    log.info("%s version %s is %spromoted: %s", made.model, made.version, "" if allowed else "not ", why)
    return {
        "promote": allowed,
        "model": made.model,
        "version": made.version,
        "champion": made.champion,
        "by": (approval or {}).get("by"),
        "why": f"{comment}; {why}" if comment else why,
        "decided": made.decided,
    }
