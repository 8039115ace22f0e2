"""What is never promoted, whatever the configured rules are. Pure."""

from __future__ import annotations

from tracked_kedro.promotion.evidence import Evidence
from tracked_kedro.promotion.outcome import RuleOutcome


def forbidden(
    challenger: Evidence, champion: Evidence | None, max_stale_share: float, version: int | None
) -> list[RuleOutcome]:
    """What holds whatever the configured rules are; only what has a say in this case is listed.

    Args:
        challenger: of the new version.
        champion: of the version that is served now, None where there is none.
        max_stale_share: share of the members that may be stale.
        version: the champion's number; scores on shared cases count only if they are about this version.
    """
    outcomes = []
    if challenger.stale_share is not None:
        bound = f"at most {max_stale_share:.0%} stale at the cutoff"
        fresh = challenger.stale_share <= max_stale_share
        outcomes.append(_plain(bound, fresh, f"{challenger.stale_share:.0%} of {len(challenger.members)} are"))
    if champion is None:
        return outcomes
    if challenger.simulated != champion.simulated:
        note = f"the champion, version {version}, was trained on {_kind(champion)}, this one on {_kind(challenger)}"
        return [*outcomes, _plain("real observations before simulated ones", champion.simulated, note)]
    return [*outcomes, *_newer(challenger, champion), *_complete(challenger, champion, version)]


def _newer(challenger: Evidence, champion: Evidence) -> list[RuleOutcome]:
    """Time goes forward, and the same month again is no news."""
    outcomes = []
    for what, now, before in (
        ("cutoff", challenger.cutoff, champion.cutoff),
        ("newest observation", challenger.newest, champion.newest),
    ):
        if now and before:
            outcomes.append(_plain(f"{what} not before the champion's", now >= before, f"{now} against {before}"))
    if (inputs := challenger.training_inputs) and (known := champion.training_inputs):
        learnt = inputs.changed_since(known)
        note = f"changed: {', '.join(learnt)}" if learnt else "data, code and configuration are those of the champion"
        outcomes.append(_plain("something to learn since the champion", bool(learnt), note))
    return outcomes


def _complete(challenger: Evidence, champion: Evidence, version: int | None) -> list[RuleOutcome]:
    outcomes = []
    if champion.members:
        lost = sorted(set(champion.members) - set(challenger.members))
        note = f"lacks {', '.join(lost[:10])}{' …' if len(lost) > 10 else ''}" if lost else f"{len(champion.members)}"
        outcomes.append(_plain("everything that the champion answers for", not lost, note))
    if challenger.compared_with != version and challenger.shared:
        note = f"compared with version {challenger.compared_with}, the champion is {version}; run the comparison again"
        outcomes.append(_plain("compared with the present champion", False, note))
    return outcomes


def _kind(evidence: Evidence) -> str:
    return "a simulated sample" if evidence.simulated else "real data"


def _plain(rule: str, holds: bool, note: str) -> RuleOutcome:
    return RuleOutcome(rule=rule, outcome="passed" if holds else "failed", note=note)
