"""The month of a DAG run that nobody named: by its schedule, or by what there is to learn from."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fixtures.rents import Rents
from tracked_kedro.dag.cutoffs import cutoff, settle
from tracked_kedro.errors import PermanentError

NOW = datetime(2026, 11, 28, 14, 30, tzinfo=UTC)
THIS_MONTH = datetime(2026, 11, 3, 6, tzinfo=UTC)


class Task:
    """The XCom of one task."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.values[key] = value

    def xcom_pull(self, task_ids: str, key: str) -> Any:
        assert task_ids == "open_run"
        return self.values.get(key)


def context(kind: str, interval_end: datetime | None, asked: str | None = None) -> dict[str, Any]:
    dag_run = SimpleNamespace(run_type=kind, data_interval_end=interval_end, run_after=NOW, start_date=NOW)
    return {"dag_run": dag_run, "params": {"cutoff": asked}, "ti": Task()}


def settled(newest: str, context: dict[str, Any], max_age_months: int | None = 6) -> date:
    settle("rents", {"run_key": "one", "rents": {"newest": newest}}, max_age_months, context)
    return cutoff(context)


# Airflow's form gives a run that is triggered now the schedule's last interval; a request may give none.
@pytest.mark.parametrize("interval_end", [THIS_MONTH, None], ids=["form", "request"])
@pytest.mark.parametrize("kind", ["manual", "asset_triggered"])
@pytest.mark.parametrize(
    ("newest", "expected"),
    [("2019-10-01", date(2019, 11, 1)), ("2026-10-01", date(2026, 11, 1)), ("2026-12-01", date(2026, 11, 1))],
)
def test_a_run_that_is_started_now_is_about_the_newest_month_that_is_complete(
    rents: Rents, kind: str, interval_end: datetime | None, newest: str, expected: date
) -> None:
    assert settled(newest, context(kind, interval_end)) == expected


def test_a_run_of_a_past_month_is_about_that_month(rents: Rents) -> None:
    past = datetime(2024, 3, 3, 6, tzinfo=UTC)
    assert settled("2019-10-01", context("manual", past)) == date(2024, 3, 1)
    assert settled("2019-10-01", context("backfill", past)) == date(2024, 3, 1)
    assert settled("2019-10-01", context("backfill", THIS_MONTH)) == date(2026, 11, 1)


def test_what_a_person_asks_for_is_not_questioned(rents: Rents) -> None:
    assert settled("2019-10-01", context("manual", None, "2026-06-01")) == date(2026, 6, 1)
    assert settled("2019-10-01", context("scheduled", THIS_MONTH, "2026-06-01")) == date(2026, 6, 1)


@pytest.mark.parametrize("newest", ["2026-04-01", "2026-10-01", "2026-12-01"])
def test_a_scheduled_run_on_recent_input_keeps_its_month(rents: Rents, newest: str) -> None:
    assert settled(newest, context("scheduled", THIS_MONTH)) == date(2026, 11, 1)


def test_a_scheduled_run_on_old_input_refuses_and_names_the_cutoff_that_would_work(rents: Rents) -> None:
    with pytest.raises(PermanentError, match=r"of 2019-10, 84 months before .* 2026-10: .*cutoff=2019-11-01"):
        settled("2019-10-01", context("scheduled", THIS_MONTH))
    assert settled("2019-10-01", context("scheduled", THIS_MONTH), max_age_months=None) == date(2026, 11, 1)
