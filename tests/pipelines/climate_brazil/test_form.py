"""The trigger form of climate_brazil."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from retraining.pipelines.climate_brazil.stations.series_list import read_series
from tests.deployment import ROOT
from tests.fixtures.dags import copied, dag_bag, rendered

# MLflow about a class of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")
of_this_pipeline = pytest.mark.parametrize("dag_file", [ROOT / "dags" / "climate_brazil_dag.py"], indirect=True)


@of_this_pipeline
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


@of_this_pipeline
def test_the_form_takes_what_is_right(dag: Any):
    right = {"n_ahead": 600, "series": ["belem", "rio"], "method": "nuts", "cutoff": "2019-11-01", "draws": 100}
    # What the form sends for a list that was chosen and emptied again.
    for name, value in [*right.items(), ("series", None)]:
        assert dag.params.get_param(name).resolve(value) == value


@of_this_pipeline
def test_the_series_are_chosen_from_the_list_in_conf(dag: Any, kedro_config: Any):
    schema = dag.params.get_param("series").schema
    entries = read_series(str(ROOT / "kedro_project" / kedro_config["globals"]["climate_brazil_series"]))
    assert schema["examples"] == schema["items"]["enum"] == list(entries)
    assert schema["values_display"] == {series: entry["label"] for series, entry in entries.items()}


def test_beyond_200_series_the_form_takes_ids_as_text(tmp_path: Path, environment: dict[str, str]):
    project = copied(tmp_path)
    lines = "".join(f"s{i:03d},Station {i},station_s{i:03d}.csv\n" for i in range(201))
    (project / "conf" / "base" / "climate_brazil" / "series.csv").write_text(f"series,label,file\n{lines}")
    rendered(project, tmp_path / "dags", environment)
    code = (tmp_path / "dags" / "climate_brazil_dag.py").read_text()
    assert "examples=" not in code
    assert "values_display=" not in code
    # `process_datasets` refuses an unknown id; 10,000 of them would be read with the DAG file for every task.
    assert "s200" not in code
    assert '"series": Param(\n            [],\n            type=["null", "array"],' in code
    found = dag_bag(tmp_path / "dags", environment)
    assert ("climate_brazil" in found["dags"], found["errors"]) == (True, {})
