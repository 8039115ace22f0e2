"""What a block need not say: what is in the defaults, and what its pipeline's PARAMETERS say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field

from tests.deployment import ROOT
from tracked_kedro.kedro_side.parameters import FirstOfMonth, Parameters
from tracked_kedro.kedro_side.plain_values import PLAIN
from tracked_kedro.promotion.rules import Promotion
from tracked_kedro.rendering.block_reading import read_blocks
from tracked_kedro.rendering.completion import completed, unscheduled
from tracked_kedro.rendering.form_words import form_words

DEFAULT = yaml.safe_load((ROOT / "kedro_project" / "conf" / "base" / "airflow.yml").read_text())["default"]
OWN = {"description": "Rents", "doc": "Trains a model of rents."}
WORDS = {"title": "Title", "description": "What it is."}


class Fit(Parameters):
    """How."""

    method: Literal["exact", "sampled"] = "exact"
    depth: Annotated[int, Field(strict=True, ge=1, le=600)] = 12


class Rents(Parameters):
    """Of a made-up pipeline."""

    cutoff: FirstOfMonth | None = None
    districts: tuple[str, ...] = ()
    share: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.2
    folder: str | None = None
    mode: Literal["one"] | None = None
    either: int | str = 1
    fit: Fit = Fit()
    refit: Fit | None = None
    promotion: Promotion | None = None


VALUES = {
    "rents": {
        "cutoff": None,
        "share": 0.3,
        "fit": {"method": "sampled", "depth": 24},
        "promotion": {"mode": "approve"},
    },
    "use_mlflow": True,
}


def complete(own: dict[str, Any], model: Any = Rents, values: dict[str, Any] = VALUES) -> dict[str, Any]:
    airflow = {"default": DEFAULT, "rents": {**OWN, **own}}
    made = completed(airflow, values, {"rents": model}.get)
    blocks, problems = read_blocks(airflow, made)
    assert (list(blocks), problems) == (["rents"], [])
    return made["rents"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("share", {"default": 0.2, "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        ("fit.depth", {"default": 12, "type": "integer", "minimum": 1, "maximum": 600}),
        ("fit.method", {"default": "exact", "type": "string", "enum": ["exact", "sampled"]}),
        ("refit.depth", {"default": 12, "type": "integer", "minimum": 1, "maximum": 600}),
        ("folder", {"default": None, "type": ["null", "string"]}),
        ("cutoff", {"default": None, "type": ["null", "string"], "format": "date"}),
        ("districts", {"default": [], "type": "array", "items": {"type": "string"}}),
        ("mode", {"default": None, "type": ["null", "string"], "enum": ["one", None]}),
        ("either", {"default": 1}),  # no one type
        ("shares", {}),
        ("share.of", {}),
    ],
)
def test_a_field_in_the_words_of_json_schema(path: str, words: dict[str, Any]):
    assert form_words(Rents, path.split(".")) == words


def test_a_block_says_title_and_description_only():
    block = complete({"params": {"depth": WORDS}, "kedro_parameters": {"depth": "rents.fit.depth"}})
    # The default is the value that Kedro would use.
    assert block["params"]["depth"] == {"default": 24, "type": "integer", "minimum": 1, "maximum": 600, **WORDS}


def test_what_a_block_says_wins():
    own = {"params": {"depth": {**WORDS, "default": 3, "maximum": 9}}, "kedro_parameters": {"depth": "rents.fit.depth"}}
    assert complete(own)["params"]["depth"] == {**WORDS, "default": 3, "type": "integer", "minimum": 1, "maximum": 9}


@pytest.mark.parametrize("own", [{}, {"type": "array", "minItems": 1}])
def test_a_list_that_a_person_emptied_again_is_null(own: dict[str, Any]):
    """Airflow's form sends null for it; tasks leave out what is null, so that configuration says what none means."""
    block = complete({"params": {"some": {**WORDS, **own}}, "kedro_parameters": {"some": "rents.districts"}})
    assert block["params"]["some"]["type"] == ["null", "array"]


def test_choices_take_the_place_of_items():
    own = {
        "params": {"some": {**WORDS, "choices": {"a": {"label": "A"}}}},
        "kedro_parameters": {"some": "rents.districts"},
    }
    assert "items" not in complete(own)["params"]["some"]


class TestParametersOfEveryDag:
    def test_they_come_after_the_block_s_own_with_their_targets_and_variables(self):
        own = {
            "registered_model": {"name": "rents"},
            "params": {"share": WORDS},
            "kedro_parameters": {"share": "rents.share"},
            "make": {"SHARE": "share"},
        }
        block = complete(own)
        assert list(block["params"]) == ["share", "cutoff", "promotion_mode", "use_mlflow"]
        assert block["kedro_parameters"] == {
            "share": "rents.share",
            "cutoff": "rents.cutoff",
            "promotion_mode": "rents.promotion.mode",
            "use_mlflow": "use_mlflow",
        }
        assert block["make"] == {"SHARE": "share", "CUTOFF": "cutoff"}
        assert block["params"]["promotion_mode"]["default"] == "approve"

    def test_promotion_only_where_the_block_promotes(self):
        block = complete({})
        assert list(block["params"]) == list(block["kedro_parameters"]) == ["cutoff", "use_mlflow"]

    def test_a_cutoff_only_where_the_parameters_have_one(self):
        block = complete({}, Fit, {"use_mlflow": False})
        assert (list(block["params"]), block["make"]) == (["use_mlflow"], {})
        assert block["params"]["use_mlflow"]["default"] is False

    @pytest.mark.parametrize(
        ("own", "target"),
        [
            ({"kedro_parameters": {"cutoff": "window.end"}}, "window.end"),
            ({"params": {"cutoff": {"section": "When"}}}, "rents.cutoff"),
        ],
    )
    def test_or_where_the_block_has_it(self, own: dict[str, Any], target: str):
        block = complete(own, None, {"use_mlflow": True, "window": {"end": None}})
        said = {**DEFAULT["params"]["cutoff"], **own.get("params", {}).get("cutoff", {})}
        assert block["params"]["cutoff"] == {**said, "pattern": PLAIN}
        assert (block["kedro_parameters"]["cutoff"], block["make"]) == (target, {"CUTOFF": "cutoff"})

    def test_a_block_drops_one_with_null(self):
        block = complete({"params": {"cutoff": None}})
        assert list(block["params"]) == list(block["kedro_parameters"]) == ["use_mlflow"]
        assert block["make"] == {}

    def test_a_variable_alone_is_dropped_with_null(self):
        block = complete({"make": {"CUTOFF": None}})
        assert (block["make"], "cutoff" in block["params"]) == ({}, True)

    def test_a_part_of_a_pipeline_reads_the_pipeline_s_parameters(self):
        airflow = {"default": DEFAULT, "rents.audit": OWN}
        made = completed(airflow, VALUES, {"rents": Rents}.get)["rents.audit"]
        assert made["kedro_parameters"]["cutoff"] == "rents.cutoff"


def test_what_only_scheduled_runs_do_is_known_by_kedro_s_names():
    """The default comes from the model, as for any field."""
    params = {"often": {**WORDS, "when_scheduled": 3}, "share": WORDS}
    own = {**OWN, "params": params, "kedro_parameters": {"often": "rents.fit.depth", "share": "rents.share"}}
    block = completed({"default": DEFAULT, "rents": own}, {}, lambda name: Rents)["rents"]
    assert unscheduled(block) == {"rents.fit.depth": 12}
