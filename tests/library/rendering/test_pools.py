"""Pools that nobody has made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.deployment import ROOT, deployment_environment
from tests.fixtures.templates import Migrate

PROBE = """
import json, sys, yaml
from pathlib import Path
from tracked_kedro.rendering import pools
from tracked_kedro.rendering.block_reading import read_blocks
from tracked_kedro.rendering.completion import completed
airflow = json.load(sys.stdin)
blocks, problems = read_blocks(airflow, completed(airflow, {}, lambda name: None))
assert not problems, problems
print(*pools.missing(blocks), sep="\\n")
"""


def test_one_that_this_airflow_does_not_have_is_named_with_the_command(tmp_path: Path, migrate: Migrate):
    default = yaml.safe_load((ROOT / "kedro_project" / "conf" / "base" / "airflow.yml").read_text())["default"]
    own = {
        "description": "Rents",
        "doc": "x",
        "tagged": {"heavy": {"pool": "big"}},
        "tasks": {"train": {"pool": "default_pool"}, "score": {"pool": "small"}},
    }
    airflow = {"default": {**default, "params": {}, "kedro_parameters": {}, "make": {}}, "rents": own}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **deployment_environment(tmp_path / "var")}
    migrate(environment)
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input=json.dumps(airflow), env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert "airflow.yml: rents.tagged.heavy.pool = 'big': this Airflow has no such pool" in "\n".join(lines)
    assert (
        "(it has: default_pool), and its tasks would wait for ever; make it where the DAG runs: airflow pools set small"
        in "\n".join(lines)
    )
