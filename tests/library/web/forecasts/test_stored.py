"""Runs that others have made, in whatever shape, on a real store."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import mlflow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.tracking import MlflowClient

from tracked_kedro.web.forecasts.kept import Files
from tracked_kedro.web.forecasts.stored import Stored, Version, _stored
from tracked_kedro.web.tracking import Tracking


@pytest.fixture
def experiment(store: MlflowClient, var: Path) -> str:
    return store.create_experiment("rents", artifact_location=(var / "artifacts").as_uri())


def run_of(experiment: str, **tags: str) -> str:
    with mlflow.start_run(experiment_id=experiment, tags=tags) as run:
        mlflow.log_text("not looked into", "forecasts/overview.parquet")
        return run.info.run_id


def test_a_malformed_run_hides_no_other_and_is_reported_once(store: MlflowClient, experiment: str, tmp_path: Path):
    good = run_of(experiment, cutoff="2019-11-01")
    bad = run_of(experiment, cutoff="not-a-date")
    stored = Stored(Tracking(), Files(tmp_path))
    # At the module's own logger: Kedro, which the first request may import, takes the root's handlers away.
    logger, messages = logging.getLogger(Stored.__module__), []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger.addHandler(handler)
    try:
        for _ in range(2):
            assert [run.run_id for run in stored.runs("rents")] == [good]
            stored._tracking.fresh._answers.clear()
    finally:
        logger.removeHandler(handler)
    assert messages == [f"Run {bad} is passed over: ValueError"]
    assert stored.experiments() == ["rents"]


def test_the_champion_is_of_the_model_that_the_runs_registered(store: MlflowClient, experiment: str, tmp_path: Path):
    """Whatever its name; the last run of the month, a partial one, has registered none."""
    whole = run_of(experiment, cutoff="2019-11-01", model_version="flats of the town/1")
    run_of(experiment, cutoff="2019-11-01")
    store.create_registered_model("flats of the town")
    store.create_model_version("flats of the town", source=str(tmp_path), run_id=whole)
    store.set_registered_model_alias("flats of the town", "champion", "1")
    stored = Stored(Tracking(), Files(tmp_path))
    assert stored.version("rents", "champion") == Version("1", whole)
    assert stored.version("rents", "challenger") is None


def test_without_a_registered_version_there_is_no_champion(experiment: str, tmp_path: Path):
    run_of(experiment, cutoff="2019-11-01")
    assert Stored(Tracking(), Files(tmp_path)).version("rents", "champion") is None


class Info:
    run_id, run_name, status = "a", "b", "FINISHED"

    def __init__(self, end_time: int | None) -> None:
        self.end_time = end_time


class Run:
    def __init__(self, tags: dict[str, str], end_time: int | None) -> None:
        self.info, self.data = Info(end_time), type("Data", (), {"tags": tags})


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cutoff=st.one_of(st.none(), st.text(max_size=40)), end_time=st.one_of(st.none(), st.integers()))
def test_no_tag_and_no_time_is_another_error(cutoff: str | None, end_time: int | None):
    tags: dict[str, Any] = {} if cutoff is None else {"cutoff": cutoff}
    try:
        made = _stored(Run(tags, end_time))
    except (ValueError, TypeError, OSError, OverflowError):
        return
    assert len(made.month) == len("2019-10")
