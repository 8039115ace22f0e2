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

    def split(series: list[str], size: int) -> list[list[str]]:
        folder = var / "data" / "climate_brazil" / "manual__1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "series_ids.json").write_text(json.dumps(series))
        # What the task reads of Airflow's context.
        dag_run = SimpleNamespace(run_id="manual__1", run_type="manual", data_interval_end=None, run_after=None)
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
