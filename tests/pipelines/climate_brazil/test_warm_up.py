"""What is used once ahead of the tasks leaves its libraries behind, and no thread that a fork would lose."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.deployment import deployment_environment

CODE = """
import json, os, sys
import retraining.pipelines.climate_brazil.warm_up
before = set(os.listdir("/proc/self/task"))
used = [name in sys.modules for name in ("scipy.stats", "scipy.optimize")]
retraining.pipelines.climate_brazil.warm_up.warm_up()
from mlflow.utils import requirements_utils
print(json.dumps({
    "before": used,
    "after": [name in sys.modules for name in ("scipy.stats", "scipy.optimize")],
    "packages": requirements_utils._PACKAGES_TO_MODULES["scipy"],
    "threads": sorted(set(os.listdir("/proc/self/task")) - before),
}))
"""


def test_libraries_are_loaded_and_no_thread_is_started(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE],
        env={**os.environ, **deployment_environment(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    printed = json.loads(done.stdout.splitlines()[-1])
    assert printed == {"before": [False, False], "after": [True, True], "packages": "scipy", "threads": []}
