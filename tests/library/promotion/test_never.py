"""What no rule can allow: old data, the same month again, time that goes backward, made-up data over real."""

from __future__ import annotations

from datetime import date

import pytest

from tracked_kedro.promotion.decision import judge
from tracked_kedro.promotion.evidence import Evidence, Version, comparable
from tracked_kedro.promotion.rules import CHAMPION, Promotion, Rule

BOUNDS = Promotion(
    max_stale_share=0.25,
    rules=(
        Rule(metric="crps", direction="lower", reference=0.5),
        Rule(metric="crps", direction="lower", reference=CHAMPION),
    ),
)


def evidence(**differs: object) -> Evidence:
    known = {
        "metrics": {"crps": 0.4},
        "members": ("belem", "rio", "santos", "vitoria"),
        "cutoff": date(2026, 11, 1),
        "newest": date(2026, 10, 1),
        "stale_share": 0.0,
        "data_digest": "october",
        "settings": {"draws": "1000"},
        "tags": {"code": "abc"},
    }
    return Evidence.model_validate({**known, **differs})


CHAMPIONS = evidence(cutoff=date(2026, 10, 1), newest=date(2026, 9, 1), data_digest="september")


def failed(challenger: Evidence, champion: Evidence | None) -> list[str]:
    promote, _, outcomes = judge(challenger, champion, BOUNDS, 7 if champion else None)
    rules = [outcome.rule for outcome in outcomes if outcome.outcome == "failed"]
    assert promote is not bool(rules)
    return rules


def test_the_next_month_is_promoted() -> None:
    assert failed(evidence(), CHAMPIONS) == []


@pytest.mark.parametrize("champion", [None, CHAMPIONS], ids=["first", "next"])
@pytest.mark.parametrize(("share", "promoted"), [(0.25, True), (0.26, False), (1.0, False)])
def test_a_fleet_that_is_stale_is_not_promoted_with_or_without_a_champion(
    champion: Evidence | None, share: float, promoted: bool
) -> None:
    assert failed(evidence(stale_share=share), champion) == ([] if promoted else ["at most 25% stale at the cutoff"])


def test_the_same_month_again_is_no_news() -> None:
    again = evidence(data_digest="september", newest=CHAMPIONS.newest)
    assert failed(again, CHAMPIONS) == ["something to learn since the champion"]


@pytest.mark.parametrize(
    "differs",
    [{"data_digest": "revised"}, {"tags": {"code": "def"}}, {"settings": {"draws": "2000"}}],
    ids=["revised data", "changed code", "changed configuration"],
)
def test_a_month_again_with_something_new_may_win_on_the_rules(differs: dict[str, object]) -> None:
    assert failed(evidence(**{"data_digest": "september", "newest": CHAMPIONS.newest} | differs), CHAMPIONS) == []


def test_a_later_cutoff_on_older_data_is_not_newer() -> None:
    older = evidence(cutoff=date(2027, 1, 1), newest=date(2026, 8, 1))
    assert failed(older, CHAMPIONS) == ["newest observation not before the champion's"]


def test_simulated_never_wins_over_real() -> None:
    assert failed(evidence(simulated=True, metrics={"crps": 0.01}), CHAMPIONS) == [
        "real observations before simulated ones"
    ]


def test_the_first_real_version_takes_no_notice_of_a_simulated_champion() -> None:
    """Not of its cutoff, nor of its scores, nor of its members."""
    far_ahead = evidence(
        simulated=True, cutoff=date(2030, 1, 1), newest=date(2029, 12, 1), metrics={"crps": 0.01}, members=("moon",)
    )
    assert failed(evidence(), far_ahead) == []


@pytest.mark.parametrize("simulated", [True, False])
def test_nothing_is_compared_across_the_border(simulated: bool) -> None:
    champion = Version("rents", 7, "0" * 32, evidence(simulated=simulated), lambda name: b"")
    assert comparable(champion, simulated) is champion
    assert comparable(champion, not simulated) is None
    assert comparable(None, simulated) is None
