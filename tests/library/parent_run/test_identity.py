"""Two Airflows on one tracking server, and DAG runs that were deleted and made again, share no parent run."""

from __future__ import annotations

import pytest
from mlflow.tracking import MlflowClient

from tracked_kedro.names import AIRFLOW_TAG, CLEARED_TAG, END_REASON_TAG, REPLACED_TAG, STARTED_TAG
from tracked_kedro.parent_run import runs

MONTH = "scheduled__2026-11-03T06:00:00+00:00"
FIRST, LATER = "2026-11-03 06:00:01+00:00", "2026-11-04 09:30:00+00:00"


@pytest.fixture
def experiment(store: MlflowClient) -> str:
    return store.create_experiment("rents")


def opened(experiment: str, airflow: str = "production", start: str = FIRST, cleared: int = 0) -> str:
    tags = {AIRFLOW_TAG: airflow, STARTED_TAG: start, CLEARED_TAG: str(cleared)}
    return runs.open_parent(experiment, "rents", MONTH, "rents 2026-10", tags)


def test_the_same_month_in_another_airflow_is_another_parent(store: MlflowClient, experiment: str):
    production = opened(experiment)
    runs.close_parent(production)
    staging = opened(experiment, airflow="staging")
    assert staging != production
    left_alone = store.get_run(production)
    assert left_alone.info.status == "FINISHED"
    assert left_alone.data.tags[AIRFLOW_TAG] == "production"
    assert REPLACED_TAG not in left_alone.data.tags
    assert opened(experiment) == production


def test_a_run_of_before_these_tags_is_adopted_once(store: MlflowClient, experiment: str):
    old = runs.open_parent(experiment, "rents", MONTH, "rents 2026-10", {})
    assert opened(experiment, start=LATER, cleared=1) == old
    assert opened(experiment, airflow="staging") != old


@pytest.mark.parametrize("start", [FIRST, LATER], ids=["while it ran", "after it had ended"])
def test_a_cleared_dag_run_finds_its_parent(experiment: str, start: str):
    first = opened(experiment)
    assert [opened(experiment, start=start, cleared=times) for times in (1, 3)] == [first, first]


@pytest.mark.parametrize("was", ["RUNNING", "FINISHED"])
@pytest.mark.parametrize("cleared", [0, 2])
def test_a_dag_run_that_was_deleted_and_made_again_has_a_new_parent(
    store: MlflowClient, experiment: str, was: str, cleared: int
):
    before = opened(experiment, cleared=cleared)
    if was == "FINISHED":
        runs.close_parent(before)
    again = opened(experiment, start=LATER)
    assert again != before
    old = store.get_run(before)
    assert old.info.status == {"RUNNING": "KILLED", "FINISHED": "FINISHED"}[was]
    assert old.data.tags[REPLACED_TAG] == again
    assert old.data.tags.get(END_REASON_TAG) == ("the DAG run was deleted and made again" if was == "RUNNING" else None)
    assert opened(experiment, start=LATER) == opened(experiment, start=LATER, cleared=1) == again
