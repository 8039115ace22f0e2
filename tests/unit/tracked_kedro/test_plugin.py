"""What every Airflow command loads with the plugins folder."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ["mlflow", "kedro", "polars", "pandas", "plotly"]
PROBE = f"""
import json, sys
from airflow.plugins_manager import AirflowPlugin
before = set(sys.modules)
import retraining_plugin
print(json.dumps(sorted({{name.split(".")[0] for name in set(sys.modules) - before}} & set({HEAVY}))))
"""


def test_the_plugin_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROBE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
