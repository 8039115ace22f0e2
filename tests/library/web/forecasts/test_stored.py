"""Tags and times of runs that others have made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.tracking import MlflowClient

from tests.fixtures.rents import Rents
from tracked_kedro.web.forecasts.kept import Files
from tracked_kedro.web.forecasts.runs import StoredRun, Unreadable, UnreadableRun, short, stored_run
from tracked_kedro.web.forecasts.stored import Stored, Version
from tracked_kedro.web.tracking import Tracking


@pytest.fixture
def experiment(rents: Rents, store: MlflowClient, var: Path) -> str:
    return store.create_experiment("rents", artifact_location=(var / "artifacts").as_uri())


def run_of(experiment: str, **tags: str) -> str:
    with mlflow.start_run(experiment_id=experiment, tags=tags) as run:
        mlflow.log_text("not looked into", "forecasts/overview.parquet")
        return run.info.run_id


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
        self.info, self.data = Info(end_time), type("Data", (), {"tags": tags, "metrics": {}})


@settings(max_examples=300)
@given(cutoff=st.one_of(st.none(), st.text(max_size=40)), end_time=st.one_of(st.none(), st.integers()))
def test_no_tag_and_no_time_is_another_error(cutoff: str | None, end_time: int | None):
    tags: dict[str, Any] = {} if cutoff is None else {"cutoff": cutoff}
    try:
        made = stored_run(Run(tags, end_time), "rents", frozenset({"rents"}))
    except (ValueError, TypeError, OSError, OverflowError):
        return
    assert len(made.month) == len("2019-10")


@given(st.text(max_size=400))
def test_a_tag_is_short_and_can_be_shown_and_asked_for(text: str):
    assert len(short(text)) <= 300
    assert short(text).isprintable()
    short(text).encode()


def test_an_unreadable_run_is_told_once_a_version_and_not_kept_for_ever(caplog: pytest.LogCaptureFixture):
    known = Unreadable(most=2)
    for run, version in (("a", "1"), ("a", "1"), ("a", "2"), ("b", "1")):
        known.add(UnreadableRun("rents", run, frozenset(), "it is no such table"), version)
    assert StoredRun("rents", "a", "1", "2019-10", frozenset(), {}) not in known
    assert StoredRun("rents", "a", "2", "2019-10", frozenset(), {}) in known
    assert [one.run_id for one in known.of("rents")] == ["b", "a"]
    assert known.of("other") == []
    assert len(caplog.messages) == 3
