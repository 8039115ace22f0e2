"""Which lines of Airflow's output reach the screen."""

import pytest

from tracked_kedro.cli.progress import event

STAMP = "2026-11-20T23:26:40.555051Z "


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            f"{STAMP}[info     ] [DAG TEST] starting task_id=report map_index=-1 [airflow.sdk]",
            "task report",
        ),
        (f"{STAMP}[info     ] [DAG TEST] starting task_id=series map_index=2 [airflow.sdk]", "task series [2]"),
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
    assert event(line) == shown
