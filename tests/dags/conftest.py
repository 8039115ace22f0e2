"""The DAGs of dags/, loaded as Airflow loads them, and the configuration they were rendered from."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, deployment_environment

IMPORT_ERRORS = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps({"dags": sorted(bag.dags), "errors": bag.import_errors}))
"""
FILES = sorted((ROOT / "dags").glob("*.py"))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The deployment's environment, in a folder that the tests of DAG files share; they write nothing there."""
    folder = tmp_path_factory.mktemp("dags") / "var"
    (folder / "mlflow").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        values = deployment_environment(folder)
        values["PATH"] = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        for name, value in values.items():
            patch.setenv(name, value)
        yield values


@pytest.fixture(params=FILES, ids=lambda path: path.name, scope="session")
def dag_file(request: pytest.FixtureRequest) -> Path:
    """Each file in dags/ in turn."""
    return request.param


@pytest.fixture(scope="session")
def dag(dag_file: Path, environment: dict[str, str]) -> Any:
    """The one DAG that a file defines."""
    names = runpy.run_path(str(dag_file))
    dags = {id(value.operator.dag): value.operator.dag for value in names.values() if hasattr(value, "operator")}
    (only,) = dags.values()
    return only


@pytest.fixture(scope="session")
def kedro_config(environment: dict[str, str]) -> Any:
    """The Kedro project's configuration, with its globals resolved."""
    from kedro.config import OmegaConfigLoader

    from retraining.settings import CONFIG_LOADER_ARGS

    return OmegaConfigLoader(conf_source=str(ROOT / "kedro_project" / "conf"), **CONFIG_LOADER_ARGS)


def copied(folder: Path) -> Path:
    """A copy of the Kedro project in a folder, to be changed."""
    # The stations' data would only be copied in vain.
    ignored = shutil.ignore_patterns("data", "__pycache__")
    return Path(shutil.copytree(ROOT / "kedro_project", folder / "kedro_project", ignore=ignored))


def render_dags(project: Path, target: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What `make dags` calls."""
    values = {**environment, "PYTHONPATH": f"{ROOT / 'plugins'}:{project / 'src'}", "HOME": str(target.parent)}
    command = [sys.executable, "-m", "retraining", "render-dags", "--target", str(target)]
    return subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True, timeout=120)


def rendered(project: Path, target: Path, environment: dict[str, str]) -> list[Path]:
    """The files that it made."""
    done = render_dags(project, target, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(target.iterdir())


def dag_bag(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """The DAGs that Airflow finds in a folder, and its import errors."""
    command = [sys.executable, "-c", IMPORT_ERRORS, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
