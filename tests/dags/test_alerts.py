"""What a DAG does with alerts, on and off; tests/library/dag/test_alerts.py sends some."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from tests.fixtures.dags import dag_of


def callbacks(dag: Any) -> list[Any]:
    of_tasks = [one for task in dag.tasks for one in (*task.on_success_callback, *task.on_skipped_callback)]
    return [*(dag.on_failure_callback or []), *of_tasks]


def test_alerts_are_off_until_a_channel_is_named(dag_file: Path, environment, monkeypatch: pytest.MonkeyPatch):
    for name in ("ALERT_EMAIL_TO", "ALERT_WEBHOOK"):
        monkeypatch.delenv(name, raising=False)
    dag = dag_of(dag_file)
    assert callbacks(dag) == []
    assert not dag.deadline


def test_with_a_channel_failure_lateness_and_the_decision_are_told(
    dag_file: Path, environment, kedro_config: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ALERT_WEBHOOK", "alerts_webhook")
    dag = dag_of(dag_file)
    events = {alert.event for alert in callbacks(dag)}
    decides = {"promoted", "not promoted"} if dag.has_task("promote") else set()
    warns = {"warned"} if kedro_config["airflow"][dag.dag_id].get("warnings") else set()
    assert events == {"failed", *decides, *warns}
    (deadline,) = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
    assert deadline.interval == timedelta(hours=12)

    # The scheduler reads the DAG from its serialized form.
    assert DagSerialization.to_dict(dag)["dag"]["deadline"]
