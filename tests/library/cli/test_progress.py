"""Which lines of Airflow's output reach the screen."""

import re
import time

import pytest

from tracked_kedro.cli import progress
from tracked_kedro.cli.progress import COUNT, Events, Screen

STAMP = "2026-11-20T23:26:40.555051Z "


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            f"{STAMP}[info     ] [DAG TEST] starting task_id=report map_index=-1 [airflow.sdk]",
            "task 1  report",
        ),
        (f"{STAMP}[info     ] [DAG TEST] starting task_id=series map_index=2 [airflow.sdk]", "task 1  series [2]"),
        (
            f"{STAMP}[info     ] Child run 1 of Belém is FINISHED [tracked_kedro.child_runs.datasets] loc=a.py:7",
            "  Child run 1 of Belém is FINISHED",
        ),
        (
            f"{STAMP}[warning  ] anything at all       [retraining.pipelines.rents.sources] loc=b.py:1",
            "  anything at all",
        ),
        (f"{STAMP}[info     ] train belem: 0.02 s (1 of 3)      [retraining.pipelines.isolation] loc=c.py:5", None),
        (f"{STAMP}[info     ] Task started      [airflow.api_fastapi] loc=d.py:2", None),
        ("airflow.sdk.exceptions.ParamValidationError: n_ahead", "  ParamValidationError: n_ahead"),
    ],
)
def test_event(line: str, shown: str | None) -> None:
    assert Events().of(line) == shown


def test_tasks_are_numbered_once_however_many_instances_they_have():
    events = Events()
    assert events.of(COUNT.format(3)) is None
    lines = [
        f"[DAG TEST] starting task_id={task} map_index={index}"
        for task, index in (("open_run", -1), ("series", 0), ("series", 1), ("close_run", -1))
    ]
    assert [events.of(line) for line in lines] == [
        "task 1 of 3  open_run",
        "task 2 of 3  series [0]",
        "task 2 of 3  series [1]",
        "task 3 of 3  close_run",
    ]


def test_a_silent_task_is_said_to_be_at_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(progress, "PATIENCE", 0.1)
    with Screen("checking") as screen:
        screen.show("task 1  report")
        end = time.monotonic() + 30
        said = ""
        while "…" not in said and time.monotonic() < end:
            time.sleep(0.05)
            said += capsys.readouterr().out
    assert re.search(r"s    … task 1  report$", said, re.MULTILINE)
