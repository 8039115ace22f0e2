"""No value from a trigger form, a request or a command line is interpolated, whatever the parameter."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.deployment import ROOT
from tracked_kedro.kedro_side.config_loader import NotLiteralError
from tracked_kedro.kedro_side.sessions import nested


def test_every_parameter_of_every_dag_is_a_literal(dag_file: Path, dag: Any, environment: dict[str, str]):
    from retraining.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

    targets = runpy.run_path(str(dag_file))["KEDRO"]["parameters"]
    assert targets.keys() == set(dag.params)
    for target in targets.values():
        parameters = nested({target: "${form_choices:/proc/self/environ}"})
        with pytest.raises(NotLiteralError, match=target):
            CONFIG_LOADER_CLASS(str(ROOT / "kedro_project" / "conf"), runtime_params=parameters, **CONFIG_LOADER_ARGS)
