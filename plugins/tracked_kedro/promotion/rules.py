"""When a version may become champion: the rules, as typed parameters of a pipeline."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tracked_kedro.kedro_side.parameters import Parameters

#: A registered model's champion (`name`), one version of it (`name/7`) or what another alias names (`name@alias`).
REFERENCE = r"^[\w.-]+(/[1-9]\d*|@[\w.-]+)?$"

#: Reference of a rule that compares with the version that is served now.
CHAMPION = "champion"


class Tolerance(Parameters):
    """By how much a score may be worse than its reference: one of the two.

    Attributes:
        relative: a share of the reference.
        absolute: an amount, in the score's own unit; what a score needs that may be about zero, as r² may.
    """

    relative: Annotated[float, Field(ge=0, lt=1)] | None = None
    absolute: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Tolerance:
        if (self.relative is None) == (self.absolute is None):
            raise ValueError("write one of relative (a share of the reference) and absolute (an amount)")
        return self


class Rule(Parameters):
    """One condition of promotion.

    Attributes:
        metric: name of the challenger's score.
        direction: which side is better.
        reference: a number, the name of another score of the challenger (a naive model's), or "champion".
        tolerance: by how much the score may be worse: a share of the reference, or a `Tolerance`.
        min_shared: where the reference is "champion": cases that both must have forecast for the rule to apply.
    """

    metric: str
    direction: Literal["lower", "higher"]
    reference: float | str
    tolerance: Annotated[float, Field(ge=0, lt=1)] | Tolerance = 0.0
    min_shared: Annotated[int, Field(strict=True, ge=0)] = 0

    @field_validator("reference", mode="before")
    @classmethod
    def _whole_numbers_are_numbers(cls, value: object) -> object:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def bound(self, reference: float) -> float:
        """The worst score that passes."""
        slack = self._relative * abs(reference) + self._absolute
        return reference + slack if self.direction == "lower" else reference - slack

    def text(self) -> str:
        """The rule in words."""
        side = "at most" if self.direction == "lower" else "at least"
        sign = "+" if self.direction == "lower" else "-"
        slack = f" {sign} {100 * self._relative:g} %" if self._relative else ""
        slack += f" {sign} {self._absolute:g}" if self._absolute else ""
        reference = f"{self.reference:g}" if isinstance(self.reference, float) else self.reference
        return f"{self.metric} {side} {reference}{slack}"

    @property
    def _relative(self) -> float:
        return (self.tolerance.relative or 0.0) if isinstance(self.tolerance, Tolerance) else self.tolerance

    @property
    def _absolute(self) -> float:
        return (self.tolerance.absolute or 0.0) if isinstance(self.tolerance, Tolerance) else 0.0


class Promotion(Parameters):
    """When a new version of the pipeline's registered model becomes champion.

    Attributes:
        mode: "auto" promotes what meets the rules, "approve" asks a person then, "never" leaves the champion.
        max_stale_share: share of the members that may be stale at the cutoff, whatever the rules say.
    """

    mode: Literal["auto", "approve", "never"] = "auto"
    max_stale_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
