"""Every parameter is checked before work starts: the message names the key, the value and what is allowed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.fixtures.made_up import MadeUp
from tracked_kedro.kedro_side.parameter_check import check_parameters
from tracked_kedro.kedro_side.parameters import ParameterError

RENTS = """
from typing import Annotated, Literal

from pydantic import Field, field_validator

from tracked_kedro.kedro_side.parameters import FirstOfMonth, Parameters


class Fit(Parameters):
    method: Literal["exact", "sampled"] = "exact"
    within: tuple[float, float] = (0.0, 1.0)

    @field_validator("within")
    @classmethod
    def _is_ordered(cls, value):
        if value[0] >= value[1]:
            raise ValueError("write it as [lowest, highest]")
        return value


class Rents(Parameters):
    rows: Annotated[int, Field(strict=True, ge=1, le=600)] = 12
    cutoff: FirstOfMonth | None = None
    fit: Fit = Fit()
    steps: tuple[Fit, ...] = ()
    tags: dict[str, str] = {}


PARAMETERS = Rents
"""


@pytest.fixture
def root(made_up: MadeUp) -> str:
    """Pipelines of which one declares the model of its block."""
    made_up.add("rents", parameters=RENTS)
    made_up.add("free")
    return made_up.root


def refusal(root: str, block: Any) -> str:
    with pytest.raises(ParameterError) as caught:
        check_parameters({"rents": block}, root)
    return str(caught.value)


def test_what_is_right_passes(root: str) -> None:
    check_parameters({"rents": {"rows": 600, "cutoff": "2019-10-01", "fit": {"method": "sampled"}}}, root)


@pytest.mark.parametrize(
    ("block", "key", "allowed"),
    [
        ({"row": 12}, "rents.row", "rows"),
        ({"fit": {"methods": "exact"}}, "rents.fit.methods", "method"),
        ({"steps": [{}, {"methods": "exact"}]}, "rents.steps.1.methods", "method"),
    ],
)
def test_an_unknown_key_is_named_with_the_allowed_ones(
    root: str, block: dict[str, Any], key: str, allowed: str
) -> None:
    assert re.search(rf"{re.escape(key)}: unknown key; allowed here: .*\b{allowed}\b", refusal(root, block))


def test_an_unknown_block_is_named_with_the_allowed_ones(root: str) -> None:
    with pytest.raises(ParameterError, match=r"rentz: unknown key; allowed here: use_mlflow, rents"):
        check_parameters({"rentz": {"rows": 3}, "rents": {}}, root)


def test_a_block_that_some_pipeline_reads_needs_no_model(root: str) -> None:
    check_parameters({"model_options": {"depth": 3}}, root, read=lambda: {"model_options"})
    with pytest.raises(
        ParameterError, match=r"modl_options: .*\bmodel_options \(no pipeline reads params:modl_options\)"
    ):
        check_parameters({"modl_options": {"depth": 3}}, root, read=lambda: {"model_options"})


def test_who_reads_what_is_asked_only_where_no_model_says_it(root: str) -> None:
    """It makes all pipelines."""
    check_parameters({"rents": {}}, root, read=lambda: pytest.fail("asked"))


def test_what_a_task_hands_over_is_known(root: str) -> None:
    given = {"run_key": "x", "shard": ["north"], "pipeline": "rents", "approval": {}, "use_mlflow": False}
    check_parameters({**given, "rents": {}}, root)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"rows": 0}, ["rents.rows = 0", "greater than or equal to 1"]),
        ({"rows": 601}, ["rents.rows = 601", "less than or equal to 600"]),
        ({"rows": "12"}, ["rents.rows = '12'", "integer"]),
        ({"rows": True}, ["rents.rows = True", "integer"]),
        ({"cutoff": "2019-10-15"}, ["rents.cutoff = '2019-10-15'", "not the first day", "write 2019-10-01"]),
        ({"cutoff": "October"}, ["rents.cutoff = 'October'", "date"]),
        ({"cutoff": 0}, ["rents.cutoff = 0", "write it as YYYY-MM-01"]),
        ({"fit": {"method": "x"}}, ["rents.fit.method = 'x'", "'exact' or 'sampled'"]),
        ({"fit": {"within": [1, 0]}}, ["rents.fit.within = [1, 0]", "[lowest, highest]"]),
        ({"fit": {"within": [1]}}, ["rents.fit.within.1", "Field required"]),
        ({"fit": "exact"}, ["rents.fit = 'exact'", "Fit"]),
        ({"tags": {"unit": 3}}, ["rents.tags.unit = 3", "string"]),
        (None, ["rents = None", "Rents"]),
    ],
)
def test_an_impossible_value_names_key_value_and_what_is_allowed(root: str, block: Any, words: list[str]) -> None:
    message = refusal(root, block)
    for word in words:
        assert word in message
    assert "Value error" not in message


@pytest.mark.parametrize("value", ["maybe", 1, None])
def test_use_mlflow_is_true_or_false(root: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=re.escape(f"use_mlflow = {value!r}: neither true nor false")):
        check_parameters({"use_mlflow": value}, root)


def test_all_problems_come_at_once(root: str) -> None:
    assert refusal(root, {"rows": 0, "fit": {"method": "x"}, "row": 1}).count("\n  ") == 3
