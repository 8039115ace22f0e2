"""The parameters of climate_brazil are checked by name before work starts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.framework.startup import bootstrap_project

from retraining.pipelines.climate_brazil.parameters import ClimateBrazil
from tests.deployment import ROOT
from tracked_kedro.kedro_side.parameter_check import check_parameters
from tracked_kedro.kedro_side.parameters import ParameterError
from tracked_kedro.kedro_side.project_config import config_loader

PROJECT = ROOT / "kedro_project"
PIPELINES = "retraining.pipelines"


@pytest.fixture
def shipped(var: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The parameters as every environment ships them, read by the project's own loader."""
    monkeypatch.setenv("KEDRO_ENV", "prod")
    bootstrap_project(PROJECT)
    return dict(config_loader(PROJECT)["parameters"])


def refusal(block: Any) -> str:
    with pytest.raises(ParameterError) as caught:
        check_parameters({"climate_brazil": block}, PIPELINES)
    return str(caught.value)


def test_the_shipped_parameters_are_valid(shipped: dict[str, Any]) -> None:
    check_parameters(shipped, PIPELINES)


def test_the_defaults_of_the_models_are_the_shipped_values(shipped: dict[str, Any]) -> None:
    given = ClimateBrazil.model_validate(shipped["climate_brazil"]).model_dump()
    defaults = ClimateBrazil().model_dump()
    # Tags describe a deployment; a model has no opinion on them.
    assert {**given, "tags": {}} == defaults


@pytest.mark.parametrize(
    ("block", "key", "allowed"),
    [
        ({"n_ahed": 12}, "climate_brazil.n_ahed", "n_ahead"),
        ({"contract": {"min_month": 24}}, "climate_brazil.contract.min_month", "min_months"),
        ({"model": {"kernels": "matern32"}}, "climate_brazil.model.kernels", "kernel"),
        ({"inference": {"methods": "nuts"}}, "climate_brazil.inference.methods", "method"),
    ],
)
def test_an_unknown_key_is_named_with_the_allowed_ones(block: dict[str, Any], key: str, allowed: str) -> None:
    assert re.search(rf"{re.escape(key)}: unknown key; allowed here: .*\b{allowed}\b", refusal(block))


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"n_ahead": 0}, ["climate_brazil.n_ahead = 0", "greater than or equal to 1"]),
        ({"n_ahead": 601}, ["climate_brazil.n_ahead = 601", "less than or equal to 600"]),
        ({"n_ahead": "text"}, ["climate_brazil.n_ahead = 'text'", "integer"]),
        ({"n_ahead": "12"}, ["climate_brazil.n_ahead = '12'", "integer"]),
        ({"n_ahead": 12.5}, ["climate_brazil.n_ahead = 12.5", "integer"]),
        ({"n_ahead": True}, ["climate_brazil.n_ahead = True", "integer"]),
        ({"n_ahead": None}, ["climate_brazil.n_ahead = None", "integer"]),
        ({"testing_window": 0}, ["climate_brazil.testing_window = 0", "greater than or equal to 1"]),
        ({"testing_window": 121}, ["climate_brazil.testing_window = 121", "less than or equal to 120"]),
        ({"seed": -1}, ["climate_brazil.seed = -1", "greater than or equal to 0"]),
        ({"cutoff": "2019-10-15"}, ["climate_brazil.cutoff = '2019-10-15'", "not the first day", "2019-10-01"]),
        ({"cutoff": "October"}, ["climate_brazil.cutoff = 'October'", "date"]),
        ({"cutoff": 0}, ["climate_brazil.cutoff = 0", "YYYY-MM-01"]),
        ({"history_start": 1961}, ["climate_brazil.history_start = 1961", "YYYY-MM-01"]),
        ({"history_start": "1961-02-03"}, ["climate_brazil.history_start", "not the first day", "1961-02-01"]),
        ({"min_years_own_slope": -1}, ["climate_brazil.min_years_own_slope = -1", "greater than or equal to 0"]),
        ({"series": 3}, ["climate_brazil.series = 3", "tuple"]),
        ({"series": [3]}, ["climate_brazil.series.0 = 3", "string"]),
        ({"source": "https://host/stations"}, ["climate_brazil.source = 'https://host/stations'", "{file}"]),
        ({"series_per_task": 0}, ["climate_brazil.series_per_task = 0", "greater than or equal to 1"]),
        ({"inference": {"method": "x"}}, ["climate_brazil.inference.method = 'x'", "'marginal' or 'nuts'"]),
        ({"inference": {"draws": 0}}, ["climate_brazil.inference.draws = 0", "greater than or equal to"]),
        ({"model": {"harmonics": 7}}, ["climate_brazil.model", "harmonics=7", "harmonics <= 6"]),
        ({"model": {"kernel": "rbf"}}, ["climate_brazil.model.kernel = 'rbf'", "'matern32'"]),
        (
            {"contract": {"value_range": [50, -30]}},
            ["climate_brazil.contract.value_range = [50, -30]", "[lowest, highest]"],
        ),
        ({"contract": {"value_range": [50]}}, ["climate_brazil.contract.value_range.1", "Field required"]),
        ({"contract": {"min_months": 23}}, ["climate_brazil.contract.min_months = 23", "greater than or equal to 24"]),
        (
            {"contract": {"on_bad_series": "ignore"}},
            ["climate_brazil.contract.on_bad_series = 'ignore'", "'fail' or 'quarantine'"],
        ),
        ({"contract": {"min_series": 0}}, ["climate_brazil.contract.min_series = 0", "greater than or equal to 1"]),
        ({"contract": "strict"}, ["climate_brazil.contract = 'strict'", "Contract"]),
        ({"log_artifacts": "maybe"}, ["climate_brazil.log_artifacts = 'maybe'", "boolean"]),
        ({"series_artifacts": ["plot"]}, ["climate_brazil.series_artifacts.0 = 'plot'", "'forecast_plot'"]),
        ({"tags": {"model": 3}}, ["climate_brazil.tags.model = 3", "string"]),
        (None, ["climate_brazil = None", "ClimateBrazil"]),
    ],
)
def test_an_impossible_value_names_key_value_and_what_is_allowed(block: Any, words: list[str]) -> None:
    message = refusal(block)
    for word in words:
        assert word in message
    assert "Value error" not in message


def test_a_comma_list_of_series_is_split() -> None:
    assert ClimateBrazil.model_validate({"series": "belem, rio"}).series == ("belem", "rio")


def test_parameters_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ClimateBrazil().n_ahead = 3  # type: ignore[misc]


def test_models_survive_json() -> None:
    assert ClimateBrazil.model_validate(json.loads(ClimateBrazil().model_dump_json())) == ClimateBrazil()


def test_the_catalog_hands_station_files_over_as_they_are() -> None:
    text = (PROJECT / "conf" / "base" / "climate_brazil" / "catalog.yml").read_text()
    assert yaml.safe_load(text)["climate_stations"]["dataset"]["type"].endswith("BytesDataset")
