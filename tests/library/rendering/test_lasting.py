"""How long a DAG run may last, and that the schedule alone never takes all places of a DAG."""

from __future__ import annotations

from typing import Any

import pytest

from tests.library.rendering.test_preflight import DEFAULT, OWN, read
from tracked_kedro.rendering.blocks import Block
from tracked_kedro.rendering.lasting import lasting, timeout_problems

TASKS = {"open_run": (), "train": ("long",), "close_run": ()}


def block(**own: Any) -> Block:
    blocks, problems = read({"default": DEFAULT, "rents": {**OWN, "timeout_minutes": 60, **own}})
    assert problems == []
    return blocks["rents"]


def test_every_task_has_time_for_all_of_its_tries_and_a_person_to_answer() -> None:
    plain = lasting(block(retries=0), TASKS, None)
    assert (plain.least_hours, plain.dagrun_timeout_hours) == (3, 3)
    tried = lasting(block(retries=2, retry_delay_seconds=1800), TASKS, None)
    assert (tried.least_hours, tried.dagrun_timeout_hours) == (3, 3 * (3 * 1 + 2 * 0.5))
    asked = lasting(block(retries=0), TASKS, 72)
    assert asked.least_hours == 75


def test_settings_of_tags_and_tasks_count_as_the_template_writes_them() -> None:
    tagged = {"long": {"timeout_minutes": 240, "retries": 0}}
    assert lasting(block(retries=0, tagged=tagged), TASKS, None).least_hours == 6
    own = block(retries=0, tagged=tagged, tasks={"train": {"timeout_minutes": 120}})
    assert lasting(own, TASKS, None).least_hours == 4


def test_less_than_one_try_of_each_is_refused_with_the_figure_that_works() -> None:
    short = block(dagrun_timeout_hours=74)
    (problem,) = timeout_problems("rents", lasting(short, TASKS, 72))
    assert problem == (
        "airflow.yml: rents.dagrun_timeout_hours = 74: the time-outs of its tasks and answer_within_hours are 75 hours "
        "together; write 75 or more, or leave it out"
    )
    enough = block(dagrun_timeout_hours=75)
    assert list(timeout_problems("rents", lasting(enough, TASKS, 72))) == []


@pytest.mark.parametrize(
    ("schedule", "timeout", "runs"),
    [
        ("0 6 3 * *", 100, 2),
        ("@weekly", 168, 2),
        ("@weekly", 169, 3),
        ("@daily", 100, 6),
        ("0 6,18 * * *", 24, 3),
        ("* * * * *", 100, 16),
        (None, 100, 2),
    ],
)
def test_a_place_is_left_for_a_person_whatever_the_schedule_has_going(
    schedule: str | None, timeout: int, runs: int
) -> None:
    """A DAG run that is due ends within the time-out, so that there are as many as intervals in it."""
    found = lasting(block(schedule=schedule, dagrun_timeout_hours=timeout), TASKS, None)
    assert found.max_active_runs == runs
    assert lasting(block(schedule=schedule, max_active_runs=1), TASKS, None).max_active_runs == 1
