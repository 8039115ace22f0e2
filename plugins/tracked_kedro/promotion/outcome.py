"""What became of one condition of a promotion."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["passed", "failed", "not applicable"]


class RuleOutcome(BaseModel):
    """What became of one rule, with its numbers.

    Attributes:
        rule: the rule in words, such as "crps at most 1.02 x crps_climatology_trend".
        value: the challenger's score; None where it has none.
        bound: what the value must not exceed, or fall below; None where the rule does not apply.
        note: why, in words, where numbers do not say it.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    outcome: Outcome
    value: float | None = None
    bound: float | None = None
    note: str = ""
