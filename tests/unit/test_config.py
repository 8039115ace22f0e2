"""Every parameter is checked before work starts: the message names the key, the value and what is allowed."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project

from retraining.config import ClimateBrazil, ParameterError, check_parameters
from retraining.pipelines.climate_brazil.stations import CSV_ARGS

PROJECT = Path(__file__).resolve().parents[2] / "kedro_project"


@pytest.fixture
def shipped(var: Path) -> dict[str, Any]:
    """The parameters as every environment ships them, read by the project's own loader."""
    bootstrap_project(PROJECT)
    loader = OmegaConfigLoader(
        conf_source=str(PROJECT / settings.CONF_SOURCE), env="prod", **settings.CONFIG_LOADER_ARGS
    )
    return dict(loader["parameters"])


def refusal(block: Any) -> str:
    with pytest.raises(ParameterError) as caught:
        check_parameters({"climate_brazil": block})
    return str(caught.value)


def test_the_shipped_parameters_are_valid(shipped: dict[str, Any]) -> None:
    check_parameters(shipped)


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


def test_an_unknown_block_is_named_with_the_allowed_ones() -> None:
    with pytest.raises(ParameterError, match=r"climate_brasil: unknown key; allowed here: use_mlflow, climate_brazil"):
        check_parameters({"climate_brasil": {"n_ahead": 3}})


def test_a_block_that_some_pipeline_reads_needs_no_model() -> None:
    check_parameters({"model_options": {"depth": 3}}, read=lambda: {"model_options"})
    with pytest.raises(
        ParameterError, match=r"modl_options: .*\bmodel_options \(no pipeline reads params:modl_options\)"
    ):
        check_parameters({"modl_options": {"depth": 3}}, read=lambda: {"model_options"})


@pytest.fixture
def dropped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A pipeline package that declares its own parameters, beside those of the project."""
    from retraining import pipelines

    package = tmp_path / "dropped_in_rents"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from kedro.pipeline import pipeline\n\ndef create_pipeline():\n    return pipeline([])\n"
    )
    (package / "parameters.py").write_text(
        "from retraining.config import Parameters\n\nclass PARAMETERS(Parameters):\n    test_share: float = 0.2\n"
    )
    monkeypatch.setattr(pipelines, "__path__", [*pipelines.__path__, str(tmp_path)])
    yield package.name
    for name in [name for name in sys.modules if package.name in name]:
        del sys.modules[name]


def test_a_package_declares_the_model_of_its_block(dropped_in: str) -> None:
    check_parameters({dropped_in: {"test_share": 0.1}})
    with pytest.raises(ParameterError, match=rf"{dropped_in}.tset_share: unknown key; allowed here: test_share"):
        check_parameters({dropped_in: {"tset_share": 0.1}})


def test_a_package_with_create_pipeline_is_registered(dropped_in: str) -> None:
    from retraining.pipeline_registry import register_pipelines

    assert dropped_in in register_pipelines()


def test_what_a_task_hands_over_is_known() -> None:
    check_parameters({"run_key": "x", "shard": ["belem"], "use_mlflow": False, "climate_brazil": {}})


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


@pytest.mark.parametrize("value", ["maybe", 1, None])
def test_use_mlflow_is_true_or_false(value: Any) -> None:
    with pytest.raises(ParameterError, match=re.escape(f"use_mlflow = {value!r}: neither true nor false")):
        check_parameters({"use_mlflow": value})


def test_all_problems_come_at_once() -> None:
    message = refusal({"n_ahead": 0, "contract": {"min_series": 0}, "sead": 1})
    assert message.count("\n  ") == 3


def test_a_comma_list_of_series_is_split() -> None:
    assert ClimateBrazil.model_validate({"series": "belem, rio"}).series == ("belem", "rio")


def test_parameters_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ClimateBrazil().n_ahead = 3  # type: ignore[misc]


def test_models_survive_json() -> None:
    assert ClimateBrazil.model_validate(json.loads(ClimateBrazil().model_dump_json())) == ClimateBrazil()


def test_the_catalog_reads_station_files_as_the_parser_expects() -> None:
    text = (PROJECT / "conf" / "base" / "catalog_climate_brazil.yml").read_text()
    assert yaml.safe_load(text)["climate_stations"]["dataset"]["load_args"] == CSV_ARGS
