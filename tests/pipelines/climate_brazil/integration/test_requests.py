"""What a series costs a tracking server: requests in the access log of a real one, by method and path."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from retraining.pipelines.climate_brazil.stations.sample import station_text
from tests.fixtures.stack import PlainServer, tasks_of
from tracked_kedro.kedro_side.sessions import Session, nested
from tracked_kedro.parent_run import runs

# Libraries among themselves, at import and at their first use in this process.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

SERIES = ("belem", "curitiba", "rio", "manaus", "recife")
RUN_LEVEL = ["refresh", "process_datasets", "describe_run", "model_graph", "train_test_split", "learn_fleet"]
WITHOUT_MODEL = ["model_graph", "forecast_plot", "series_table", "posterior"]
LIFE = {"POST runs/create": 1, "POST runs/log-batch": 1, "POST runs/update": 1}


class Fleet:
    """DAG runs over the sample series on one server."""

    def __init__(self, server: PlainServer, folder: Path) -> None:
        self.server, self.stations = server, folder / "stations"
        self.stations.mkdir()
        for series in SERIES:
            (self.stations / f"station_{series}.csv").write_text(station_text(series))
        self.experiment = MlflowClient().create_experiment(f"requests {folder.name}")
        self._run(self._parent("prepared"), SERIES, {}, nodes=RUN_LEVEL)

    def shard(self, parent: str, series: tuple[str, ...], artifacts: list[str]) -> Counter[str]:
        """Requests of the mapped task of some series."""
        time.sleep(0.3)  # the log is written after the answer
        before = self._requests()
        self._run(parent, series, {"series_artifacts": artifacts}, namespace="series")
        time.sleep(0.3)
        return self._requests() - before

    def _parent(self, name: str) -> str:
        return runs.open_parent(self.experiment, "climate_brazil", name, name, {})

    def _run(self, parent: str, series: tuple[str, ...], changed: dict, **what) -> None:
        values = {"stations": str(self.stations), "n_ahead": 3, "inference.draws": 100, "series": list(SERIES)}
        parameters = nested({f"climate_brazil.{key}": value for key, value in (values | changed).items()})
        session = Session("climate_brazil", {**parameters, "run_key": "requests", "shard": list(series)})
        runs.in_parent(parent, lambda: session.run(**what))

    def _requests(self) -> Counter[str]:
        lines = re.findall(r'"([A-Z]+) /api/2\.0/([^ ?"]+)\S* HTTP', self.server.log.read_text())
        return Counter(f"{method} {_anonymous(path)}" for method, path in lines)

    def growth(self, artifacts: list[str]) -> Counter[str]:
        """Requests of one series more: those of a task of three series less those of a task of one, halved."""
        parent = self._parent(f"growth {len(artifacts)}")
        self.shard(parent, SERIES[:1], artifacts)  # the first task of a run also logs the run's parameters
        few = self.shard(parent, SERIES[1:2], artifacts)
        many = self.shard(parent, SERIES[2:5], artifacts)
        assert not few - many, "a request of the small task is missing in the large one"
        assert all(count % 2 == 0 for count in (many - few).values())
        return Counter({path: count // 2 for path, count in (many - few).items()})


def _anonymous(path: str) -> str:
    path = re.sub(r"^mlflow/", "", path)
    return re.sub(r"mlflow-artifacts/artifacts/\d+/[0-9a-f]{32}/artifacts/", "", path)


@pytest.fixture(scope="module")
def fleet(plain_server: PlainServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with tasks_of(plain_server.address, folder):
        yield Fleet(plain_server, folder)


def test_a_series_without_a_model_costs_seven_requests(fleet: Fleet):
    requests = fleet.growth(WITHOUT_MODEL)
    (graph,) = [path for path in requests if "model_graph" in path]
    files = ["figures/forecast.svg", "series.parquet", "posterior.nc"]
    assert requests == {**LIFE, graph: 1, **{f"PUT {file}": 1 for file in files}}
    assert requests.total() == 7


def test_a_series_with_a_model_costs_twelve_requests(fleet: Fleet):
    requests = fleet.growth([*WITHOUT_MODEL, "model"])
    model = {path for path in requests if path.startswith("PUT model/")}
    assert len(model) == 5
    assert {path: requests[path] for path in LIFE} == LIFE
    assert requests.total() == 12


def test_a_task_costs_few_requests_beside_those_of_its_series(fleet: Fleet):
    """One search a task: what an earlier attempt has left. Parameters in batches."""
    parent = fleet._parent("two tasks")
    first, second = (fleet.shard(parent, (series,), WITHOUT_MODEL) for series in SERIES[:2])
    assert second == {
        **LIFE,
        **{path: 1 for path in second if path.startswith("PUT ")},
        "POST runs/update": 2,  # the parent is resumed
        "POST runs/search": 1,
        "POST runs/log-metric": 1,
        "GET runs/get": 3,
    }
    assert (first - second).total() <= 8, "the first task of a run alone logs parameters, a batch a node"
