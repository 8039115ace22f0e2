"""The decision: what is promoted, what never is, and the numbers that say why."""

from __future__ import annotations

from datetime import date

import pytest

from tracked_kedro.promotion.decision import Decision, as_markdown, judge
from tracked_kedro.promotion.evidence import Evidence, Shared
from tracked_kedro.promotion.outcome import RuleOutcome
from tracked_kedro.promotion.rules import CHAMPION, Promotion, Rule
from tracked_kedro.promotion.side_by_side import side_by_side

GOOD = {
    "gate_share": 1.0,
    "crps": 0.40,
    "coverage_80": 0.8,
    "crps_climatology_trend": 0.42,
    "crps_seasonal_naive": 0.5,
}
RULES = (
    Rule(metric="gate_share", direction="higher", reference=0.99),
    Rule(metric="crps", direction="lower", reference="crps_climatology_trend", tolerance=0.02),
    Rule(metric="crps", direction="lower", reference="crps_seasonal_naive"),
    Rule(metric="coverage_80", direction="higher", reference=0.65),
    Rule(metric="coverage_80", direction="lower", reference=0.95),
    Rule(metric="crps", direction="lower", reference=CHAMPION, tolerance=0.02, min_shared=6),
)


def evidence(cutoff: date = date(2019, 11, 1), shared: Shared | None = None, **metrics: float) -> Evidence:
    return Evidence(
        metrics={**GOOD, **metrics},
        members=("belem", "rio"),
        cutoff=cutoff,
        compared_with=1 if shared else None,
        shared={"crps": shared} if shared else {},
    )


def against(champion: Evidence | None, challenger: Evidence) -> tuple[bool, dict[str, RuleOutcome]]:
    promote, _, outcomes = judge(challenger, champion, Promotion(rules=RULES), 1 if champion else None)
    return promote, {outcome.rule: outcome for outcome in outcomes}


def test_without_a_champion_its_rule_does_not_apply():
    promote, outcomes = against(None, evidence())
    assert promote
    assert outcomes["crps at most champion + 2 %"].outcome == "not applicable"
    assert sum(outcome.outcome == "passed" for outcome in outcomes.values()) == 5


@pytest.mark.parametrize(
    ("metrics", "rule"),
    [
        ({"gate_share": 11 / 12}, "gate_share at least 0.99"),
        ({"gate_share": 98 / 99}, "gate_share at least 0.99"),  # below 100 series, all of them
        ({"crps": 0.4285}, "crps at most crps_climatology_trend + 2 %"),
        ({"crps": 0.41, "crps_seasonal_naive": 0.40}, "crps at most crps_seasonal_naive"),
        ({"coverage_80": 0.64}, "coverage_80 at least 0.65"),
        ({"coverage_80": 0.96}, "coverage_80 at most 0.95"),
        ({"coverage_80": float("nan")}, "coverage_80 at least 0.65"),
    ],
)
def test_each_rule_can_refuse(metrics: dict[str, float], rule: str):
    promote, outcomes = against(None, evidence(**metrics))
    assert not promote
    assert outcomes[rule].outcome == "failed"


def test_from_a_hundred_series_on_one_may_fail_its_gate():
    assert against(None, evidence(gate_share=99 / 100))[0]


def test_a_score_that_is_missing_refuses_instead_of_passing():
    challenger = Evidence(metrics={key: value for key, value in GOOD.items() if key != "coverage_80"})
    promote, _, outcomes = judge(challenger, None, Promotion(rules=RULES))
    assert not promote
    assert {outcome.note for outcome in outcomes if outcome.outcome == "failed"} == {"coverage_80 was not measured"}


@pytest.mark.parametrize(("challenger", "promoted"), [(0.40, True), (0.4079, True), (0.4081, False), (0.44, False)])
def test_shared_months_count_not_the_scores_as_a_whole(challenger: float, promoted: bool):
    shared = Shared(challenger=challenger, champion=0.40, cases=11, unit="months")
    promote, outcomes = against(evidence(crps=9.9), evidence(date(2019, 12, 1), shared))
    assert promote is promoted
    assert outcomes["crps at most champion + 2 %"].note == "on 11 shared months, champion 0.4"


def test_below_six_shared_months_the_rule_says_so():
    shared = Shared(challenger=9.9, champion=0.40, cases=5, unit="months")
    promote, outcomes = against(evidence(), evidence(date(2019, 12, 1), shared))
    assert promote
    assert outcomes["crps at most champion + 2 %"].outcome == "not applicable"
    assert outcomes["crps at most champion + 2 %"].note == "only 5 shared months, 6 are needed"


def test_an_earlier_cutoff_is_never_promoted():
    promote, outcomes = against(evidence(), evidence(date(2019, 10, 1), crps=0.01))
    assert not promote
    assert outcomes["cutoff not before the champion's"].note == "2019-10-01 against 2019-11-01"


def test_a_version_that_lacks_a_member_is_never_promoted():
    lacking = evidence(crps=0.01).model_copy(update={"members": ("belem",)})
    promote, outcomes = against(evidence(), lacking)
    assert not promote
    assert outcomes["everything that the champion answers for"].note == "lacks rio"


def test_scores_against_another_champion_do_not_count():
    shared = Shared(challenger=0.1, champion=0.4, cases=11)
    promote, _, outcomes = judge(evidence(shared=shared), evidence(), Promotion(rules=RULES), champion_version=7)
    assert not promote
    assert any("the champion is 7" in outcome.note for outcome in outcomes)


def test_without_shared_cases_a_pipeline_may_compare_as_a_whole():
    rule = Rule(metric="rmse", direction="lower", reference=CHAMPION, tolerance=0.1)
    before = Evidence(metrics={"rmse": 1.0})
    assert judge(Evidence(metrics={"rmse": 1.09}), before, Promotion(rules=(rule,)), 1)[0]
    assert not judge(Evidence(metrics={"rmse": 1.11}), before, Promotion(rules=(rule,)), 1)[0]


def test_tolerance_is_on_the_worse_side_whatever_the_sign():
    lower = Rule(metric="loss", direction="lower", reference=-2.0, tolerance=0.1)
    higher = Rule(metric="r2", direction="higher", reference=-2.0, tolerance=0.1)
    assert (lower.bound(-2.0), higher.bound(-2.0)) == (-1.8, -2.2)


def test_markdown_shows_every_rule_with_its_numbers():
    promote, reason, outcomes = judge(evidence(coverage_80=0.5), None, Promotion(rules=RULES))
    decision = Decision(
        model="rents",
        version=3,
        champion=None,
        promote=promote,
        reason=reason,
        outcomes=outcomes,
        scores=side_by_side(evidence(coverage_80=0.5), None, RULES),
        remarks=("Observations: 12 new, 0 revised.",),
    )
    text = as_markdown(decision)
    assert "rents version 3 is not promoted" in text
    assert "| coverage_80 at least 0.65 | 0.5 | 0.65 | failed |" in text
    assert "- Observations: 12 new, 0 revised." in text
    assert "| crps | 0.4 |  | 0.42 | 0.5 |" in text, "naive models stand beside the model"


def test_scores_stand_side_by_side_with_the_champion_and_with_what_rules_refer_to():
    shared = Shared(challenger=0.41, champion=0.43, cases=11, unit="months")
    own = evidence(shared=shared, rmse=0.8, rmse_seasonal_naive=0.9, rmse_climatology_trend=0.7, n_series=2)
    rows = {row.metric: row for row in side_by_side(own, evidence(crps=0.39, rmse=0.81), RULES)}
    assert set(rows) == {"crps, 11 shared months", "gate_share", "crps", "coverage_80", "rmse"}
    assert (rows["crps, 11 shared months"].challenger, rows["crps, 11 shared months"].champion) == (0.41, 0.43)
    assert (rows["crps"].challenger, rows["crps"].champion) == (0.40, 0.39)
    assert rows["rmse"].baselines == {"climatology_trend": 0.7, "seasonal_naive": 0.9}
    assert rows["gate_share"].baselines == {}
