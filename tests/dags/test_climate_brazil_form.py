"""The trigger form of climate_brazil."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError
from tests.conftest import ROOT

from retraining.series_list import read_series

pytestmark = [
    # MLflow about a class of its own.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning"),
    pytest.mark.parametrize("dag_file", [ROOT / "dags" / "climate_brazil_dag.py"], indirect=True),
]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_ahead", 0),
        ("n_ahead", 601),
        ("n_ahead", "x"),
        ("n_ahead", None),
        ("series", ["atlantis"]),
        ("series", "belem"),
        ("method", "x"),
        ("cutoff", "October"),
        ("testing_window", 0),
        ("draws", 99),
        ("series_per_task", 0),
        ("use_mlflow", "no"),
    ],
)
def test_the_form_refuses_what_kedro_would(dag: Any, name: str, value: object):
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)


def test_the_form_takes_what_is_right(dag: Any):
    right = {"n_ahead": 600, "series": ["belem", "rio"], "method": "nuts", "cutoff": "2019-11-01", "draws": 100}
    for name, value in right.items():
        assert dag.params.get_param(name).resolve(value) == value


def test_the_series_are_chosen_from_the_list_in_conf(dag: Any, kedro_config: Any):
    schema = dag.params.get_param("series").schema
    entries = read_series(str(ROOT / "kedro_project" / kedro_config["globals"]["climate_brazil_series"]))
    assert schema["examples"] == schema["items"]["enum"] == list(entries)
    assert schema["values_display"] == {series: entry["label"] for series, entry in entries.items()}
