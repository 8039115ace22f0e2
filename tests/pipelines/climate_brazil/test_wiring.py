"""Typed inputs of nodes, wired by name."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from kedro.pipeline import Pipeline
from kedro.validation.type_extractor import TypeExtractor

from retraining.pipelines.climate_brazil.pipeline import create_pipeline
from retraining.pipelines.climate_brazil.structural import InferenceConfig, ModelConfig
from retraining.pipelines.climate_brazil.wiring import NAME, Inputs, by_name, wire


@dataclass(frozen=True)
class Measured(Inputs):
    first: int
    second: int


@dataclass(frozen=True)
class Settings(Inputs):
    inference: InferenceConfig


def difference(measured: Measured, scale: float, settings: Settings) -> float:
    """Scaled difference."""
    return scale * (measured.second - measured.first) + settings.inference.draws


def test_fields_are_arguments_by_keyword():
    assert by_name(difference)(second=5, scale=2.0, inference=InferenceConfig(), first=3) == 1004.0


def test_the_order_in_which_datasets_are_named_decides_nothing():
    inputs = {"second": "b", "inference": "params:inference", "first": "a", "scale": "params:scale"}
    values = {
        "climate_a": 3,
        "climate_b": 5,
        f"params:{NAME}.scale": 2.0,
        f"params:{NAME}.inference": InferenceConfig(),
    }
    for names in (inputs, dict(reversed(inputs.items()))):
        assert wire(difference, names, ["c"], "difference").run(values) == {"climate_c": 1004.0}


@pytest.mark.parametrize(
    "inputs",
    [
        {"first": "a", "second": "b", "scale": "params:scale"},
        {"first": "a", "second": "b", "scale": "params:scale", "inference": "params:inference", "third": "c"},
    ],
    ids=["one is missing", "one is unknown"],
)
def test_a_wrong_name_is_refused_when_the_pipeline_is_made(inputs: dict[str, str]):
    with pytest.raises(TypeError, match="difference"):
        wire(difference, inputs, ["c"], "difference")


def test_two_inputs_of_one_name_are_refused():
    def twice(measured: Measured, first: int) -> int:
        return first

    # What a nested function is annotated with is not found by its name.
    twice.__annotations__ = {"measured": Measured, "first": int}
    with pytest.raises(TypeError, match="two inputs called first"):
        by_name(twice)


def test_kedro_finds_the_type_of_a_parameter_inside_the_inputs():
    inputs = {"first": "a", "second": "b", "scale": "params:scale", "inference": "params:inference"}
    found = TypeExtractor({"one": Pipeline([wire(difference, inputs, ["c"], "difference")])})
    assert found.extract_types_from_pipelines() == {f"{NAME}.inference": InferenceConfig}


def test_the_parameters_of_this_pipeline_are_typed():
    found = TypeExtractor({NAME: create_pipeline()}).extract_types_from_pipelines()
    assert (found[f"{NAME}.model"], found[f"{NAME}.inference"]) == (ModelConfig, InferenceConfig)
