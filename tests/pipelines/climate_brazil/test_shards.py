"""How series become mapped tasks: `list_shards` on the project's real catalog."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracked_kedro import names
from tracked_kedro.dag import tasks

# MLflow about a class of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")

TWELVE = [f"s{number:02d}" for number in range(12)]


@pytest.fixture
def shards(var: Path):
    """Shards of the given series, as the task in a DAG run without tracking makes them."""

    def split(series: list[str], size: int | None) -> list[list[str]]:
        folder = var / "data" / "climate_brazil" / "manual__1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "series_ids.json").write_text(json.dumps(series))
        # What the task reads of Airflow's context.
        dag_run = SimpleNamespace(
            run_id="manual__1", run_type="manual", data_interval_end=None, run_after=None, conf={}
        )
        context: dict[str, Any] = {
            "params": {"series_per_task": size, "use_mlflow": False, "cutoff": "2019-11-01"},
            "dag_run": dag_run,
            "ti": SimpleNamespace(
                task_id="shards", xcom_pull=lambda task_ids, key=None: key == names.UNTRACKED or None
            ),
        }
        mapping = {
            "series_per_task": "climate_brazil.series_per_task",
            "use_mlflow": "use_mlflow",
            "cutoff": "climate_brazil.cutoff",
        }
        return tasks.list_shards.function(
            pipeline="climate_brazil", parameters=mapping, keys="climate_series_ids", size="series_per_task", **context
        )

    return split


@pytest.mark.parametrize(
    ("size", "shapes"), [(1, [1] * 12), (3, [3] * 4), (5, [5, 5, 2]), (12, [12]), (100, [12])], ids=str
)
def test_every_series_is_in_one_shard_in_order(shards, size: int, shapes: list[int]):
    found = shards(TWELVE, size)
    assert [len(shard) for shard in found] == shapes
    assert [series for shard in found for series in shard] == TWELVE


def test_no_series_no_shards(shards):
    assert shards([], 3) == []


def test_more_shards_than_airflow_maps_are_made_fewer(shards, monkeypatch: pytest.MonkeyPatch, caplog):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "5")
    with caplog.at_level(logging.WARNING, logger="tracked_kedro"):
        found = shards(TWELVE, 2)
    assert [len(shard) for shard in found] == [3, 3, 3, 3]
    assert "series_per_task raised from 2 to 3: Airflow maps at most 5 tasks" in caplog.text


def test_within_the_limit_the_wish_stands(shards, monkeypatch: pytest.MonkeyPatch, caplog):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "6")
    assert len(shards(TWELVE, 2)) == 6
    assert "raised" not in caplog.text


def few_cores(monkeypatch: pytest.MonkeyPatch, cores: int, parallelism: int, executor: str = "LocalExecutor"):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", str(parallelism))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)


@pytest.mark.parametrize(
    ("cores", "parallelism", "executor", "shapes"),
    [
        (2, 32, "LocalExecutor", [3] * 4),
        (2, 1, "LocalExecutor", [6, 6]),
        (8, 4, "LocalExecutor", [2] * 6),
        (2, 4, "CeleryExecutor", [2] * 6),
        (2, 4, "airflow.providers.celery.executors.celery_executor.CeleryExecutor", [2] * 6),
        (2, 32, "CeleryExecutor,KubernetesExecutor", [1] * 12),
    ],
)
def test_nobodys_wish_is_chosen_from_series_and_slots(
    shards, monkeypatch: pytest.MonkeyPatch, cores: int, parallelism: int, executor: str, shapes: list[int]
):
    few_cores(monkeypatch, cores, parallelism, executor)
    found = shards(TWELVE, None)
    assert [len(shard) for shard in found] == shapes
    assert [series for shard in found for series in shard] == TWELVE


def test_a_fleet_has_25_series_a_task_and_more(shards, monkeypatch: pytest.MonkeyPatch):
    few_cores(monkeypatch, 2, 32)
    sizes = {count: len(shards([str(n) for n in range(count)], None)[0]) for count in (1, 1_000, 10_000, 300_000)}
    assert sizes == {1: 1, 1_000: 25, 10_000: 50, 300_000: 1_500}
    assert shards([], None) == []


def test_a_choice_that_airflow_cannot_map_is_no_warning(shards, monkeypatch: pytest.MonkeyPatch, caplog):
    few_cores(monkeypatch, 2, 32)
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    with caplog.at_level(logging.INFO, logger="tracked_kedro"):
        assert [len(shard) for shard in shards(TWELVE, None)] == [6, 6]
    assert "series_per_task is 6, chosen for 12 keys and 2 slots" in caplog.text
    assert "raised" not in caplog.text
