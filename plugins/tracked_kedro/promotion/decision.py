"""Promote the challenger or not: a pure function of the evidence and of rules that are data."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

from tracked_kedro.promotion.evidence import Evidence, comparable
from tracked_kedro.promotion.never import forbidden
from tracked_kedro.promotion.outcome import RuleOutcome
from tracked_kedro.promotion.rules import CHAMPION, Promotion, Rule
from tracked_kedro.promotion.side_by_side import ScoreRow, as_table, number


class Decision(BaseModel):
    """The decision with its reasons.

    Attributes:
        model: name of the registered model.
        version: the version that was judged; None where none was registered.
        champion: the champion it was judged against; None where there was none.
        promote: whether the version may become champion.
        reason: one sentence.
        outcomes: what became of each rule.
        scores: of challenger, champion and baselines.
        remarks: what changed since the champion, and what else a person should know.
        pictures: path among the run's artifacts by caption.
        decided: when, which names this decision: one decision moves the champion once.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    version: int | None
    champion: int | None
    promote: bool
    reason: str
    outcomes: tuple[RuleOutcome, ...] = ()
    scores: tuple[ScoreRow, ...] = ()
    remarks: tuple[str, ...] = ()
    pictures: dict[str, str] = {}
    decided: str = ""


def judge(
    challenger: Evidence, champion: Evidence | None, promotion: Promotion, champion_version: int | None = None
) -> tuple[bool, str, tuple[RuleOutcome, ...]]:
    """Hold a challenger against what is never allowed and against the pipeline's rules.

    Args:
        challenger: of the new version.
        champion: of the version that is served now, None where there is none.
        promotion: its rules must all hold or be not applicable.
        champion_version: its number; scores on shared cases count only if they are about this version.

    Returns:
        Whether the challenger may be promoted, one sentence why, and what became of each rule.
    """
    # Scores of simulated data say nothing about real data.
    compared = comparable(champion, challenger.simulated)
    outcomes = (
        *forbidden(challenger, champion, promotion.max_stale_share, champion_version),
        *(_apply(rule, challenger, compared) for rule in promotion.rules),
    )
    failed = [outcome.rule for outcome in outcomes if outcome.outcome == "failed"]
    applied = sum(outcome.outcome == "passed" for outcome in outcomes)
    if failed:
        return False, f"{len(failed)} of {len(outcomes)} rules failed: {'; '.join(failed)}", outcomes
    return True, f"all {applied} rules that apply are met", outcomes


def _apply(rule: Rule, challenger: Evidence, champion: Evidence | None) -> RuleOutcome:
    text = rule.text()
    value, note = challenger.metrics.get(rule.metric), ""
    reference: float | None
    if isinstance(rule.reference, float):
        reference = rule.reference
    elif rule.reference != CHAMPION:
        reference, note = challenger.metrics.get(rule.reference), "" if value is None else f"{rule.reference}"
    elif champion is None:
        return RuleOutcome(rule=text, outcome="not applicable", value=value, note="no champion to compare with")
    elif shared := challenger.shared.get(rule.metric):
        note = f"on {shared.cases} shared {shared.unit}, champion {shared.champion:.4g}"
        if shared.cases < rule.min_shared:
            note = f"only {shared.cases} shared {shared.unit}, {rule.min_shared} are needed"
            return RuleOutcome(rule=text, outcome="not applicable", value=value, note=note)
        value, reference = shared.challenger, shared.champion
    elif rule.min_shared:
        return RuleOutcome(rule=text, outcome="not applicable", value=value, note="no shared cases")
    else:
        reference, note = champion.metrics.get(rule.metric), "the champion's own held-out data"
    if value is None or not math.isfinite(value):
        return RuleOutcome(rule=text, outcome="failed", note=f"{rule.metric} was not measured")
    if reference is None or not math.isfinite(reference):
        return RuleOutcome(rule=text, outcome="failed", value=value, note=f"{rule.reference} was not measured")
    bound = rule.bound(reference)
    holds = value <= bound if rule.direction == "lower" else value >= bound
    return RuleOutcome(rule=text, outcome="passed" if holds else "failed", value=value, bound=bound, note=note)


def as_markdown(decision: Decision) -> str:
    """The decision as a person reads it, in the approval form and beside the report."""
    verdict = "may be promoted" if decision.promote else "is not promoted"
    lines = [f"**{decision.model} version {decision.version} {verdict}**: {decision.reason}.", ""]
    against = f"version {decision.champion}" if decision.champion is not None else "none yet"
    lines += [f"Champion: {against}.", ""]
    if decision.outcomes:
        lines += ["| rule | challenger | bound | outcome | |", "|---|---:|---:|---|---|"]
        lines += [
            f"| {one.rule} | {number(one.value)} | {number(one.bound)} | {one.outcome} | {one.note} |"
            for one in decision.outcomes
        ]
        lines.append("")
    if decision.scores:
        lines += ["Scores on held-out data, side by side:", "", *as_table(decision.scores), ""]
    if decision.remarks:
        lines += ["What changed since the champion, and what else to know:", ""]
    lines += [f"- {remark}" for remark in decision.remarks]
    return "\n".join(lines).rstrip() + "\n"
