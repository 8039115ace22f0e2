"""The DAGs of dags/, loaded as Airflow loads them, and the configuration they were rendered from."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, deployment_environment

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
