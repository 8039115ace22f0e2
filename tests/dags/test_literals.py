"""No value from a trigger form, a request or a command line is interpolated, whatever the parameter."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from tests.deployment import ROOT
from tracked_kedro.kedro_side.plain_values import NotLiteralError
from tracked_kedro.kedro_side.sessions import nested


def test_every_parameter_of_every_dag_is_a_literal(dag_file: Path, dag: Any, environment: dict[str, str]):
    from retraining.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

    targets = runpy.run_path(str(dag_file))["KEDRO"]["parameters"]
    assert targets.keys() == set(dag.params)
    for target in targets.values():
        parameters = nested({target: "${form_choices:/proc/self/environ}"})
        with pytest.raises(NotLiteralError, match=target):
            CONFIG_LOADER_CLASS(str(ROOT / "kedro_project" / "conf"), runtime_params=parameters, **CONFIG_LOADER_ARGS)


@pytest.mark.parametrize(
    "value", ["${form_choices:/proc/self/environ}", "s3://key:secret@bucket", "http://h/x?sig=secret"]
)
def test_airflow_refuses_such_a_value_before_it_stores_it(dag: Any, value: str):
    """Whoever asks for a DAG run, by form or by request: the answer is 400, and the run is not made."""
    texts = []
    for name in dag.params:
        param = dag.params.get_param(name)
        kinds = param.schema.get("type", ())
        if "string" in kinds or "array" in kinds:
            texts.append(name)
            with pytest.raises(ParamValidationError):
                param.resolve(value if "string" in kinds else [value])
    assert "cutoff" in texts
