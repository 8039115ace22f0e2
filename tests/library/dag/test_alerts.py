"""Alerts go out for real: to a mail server and a web server of this test's own."""

import asyncio
import email
import email.policy
import json
import socketserver
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest

from tests.fixtures.webhook import webhook as server
from tracked_kedro.dag import alerts

RUN = "scheduled__2019-11-03T06:00:00+00:00"
DECISION = {
    "promote": True,
    "model": "rents",
    "version": 7,
    "reason": "RMSE 0.44 °C is below the champion's 0.46",
}


@pytest.fixture
def webhook(monkeypatch):
    """Texts that were posted to the configured webhook."""
    with server() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found.texts


@pytest.fixture
def mailbox(monkeypatch):
    """Mails that were sent through the configured server, as text."""
    received = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.answer("220 test")
            while command := self.rfile.readline().decode().strip().upper():
                if command == "DATA":
                    self.answer("354 go on")
                    lines = iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), ".")
                    received.append("\n".join(lines))
                self.answer("221 bye" if command == "QUIT" else "250 ok")
                if command == "QUIT":
                    return

        def answer(self, line):
            self.wfile.write(f"{line}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": server.server_address[1], "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("ALERT_EMAIL_TO", "night@example.org, day@example.org")
        yield received
        server.shutdown()


@pytest.fixture(autouse=True)
def address(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.org")
    monkeypatch.setenv("RETRAINING_MLFLOW_UI", "https://mlflow.example.org")


def context(values=None, **more):
    run = SimpleNamespace(dag_id="rents", run_id=RUN)
    returned = {"decide": DECISION, "open_run": "0123abcd", **(values or {})}
    ti = SimpleNamespace(task_id="report", xcom_pull=lambda task_ids, key=None: returned.get(key or task_ids))
    return {"dag_run": run, "ti": ti, **more}


@pytest.fixture
def nothing_configured(monkeypatch):
    for name in ("ALERT_EMAIL_TO", "ALERT_WEBHOOK"):
        monkeypatch.setenv(name, "")


def test_without_a_channel_there_is_no_callback(nothing_configured):
    assert alerts.alerts(alerts.FAILED) == []
    assert alerts.deadline(12) is None


def test_a_failed_dag_run_is_posted_with_reason_and_link(webhook):
    (alert,) = alerts.alerts(alerts.FAILED)
    alert(context(reason="task_failure"))
    (posted,) = webhook
    subject, *lines = posted.splitlines()
    assert subject == "[retraining] rents: the DAG run failed"
    assert f"Run: {RUN}" in lines
    assert any("task_failure" in line for line in lines)
    assert lines[-1] == (
        "Airflow: https://airflow.example.org/dags/rents/runs/scheduled__2019-11-03T06%3A00%3A00%2B00%3A00"
    )


def test_where_airflow_has_no_address_there_is_no_dead_link(webhook, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "")
    for event, values in ((alerts.FAILED, {}), (alerts.WARNED, {"report": ["stale: Belém"]})):
        (alert,) = alerts.alerts(event)
        alert(context(values))
    assert [f"Run: {RUN}" in posted for posted in webhook] == [True, True]
    assert not any("Airflow:" in posted or "Report:" in posted or "localhost" in posted for posted in webhook)


def test_a_promotion_is_mailed_with_its_reason_and_the_models_page(mailbox):
    (alert,) = alerts.alerts(alerts.PROMOTED)
    alert(context())
    (mail,) = mailbox
    assert "Subject: [retraining] rents: a new champion" in mail
    assert "To: night@example.org, day@example.org" in mail
    body = _decoded(mail)
    assert "rents version 7: RMSE 0.44 °C is below the champion's 0.46" in body
    assert "https://mlflow.example.org/#/models/rents/versions/7" in body


def test_a_rejection_goes_to_every_channel(webhook, mailbox):
    (alert,) = alerts.alerts(alerts.NOT_PROMOTED)
    alert(context({"reason": "switched off"}))
    assert "Reason: switched off" in webhook[0]
    assert "Reason: switched off" in _decoded(mailbox[0])


def test_warnings_are_sent_with_the_report_and_without_any_nothing_is_sent(webhook):
    (alert,) = alerts.alerts(alerts.WARNED)
    alert(context({"report": []}))
    alert(context({"report": None}))
    assert webhook == []
    alert(context({"report": ["stale: Belém: the newest observation is 9 months before the cutoff"]}))
    (posted,) = webhook
    subject, *lines = posted.splitlines()
    assert subject == "[retraining] rents: warnings"
    assert "stale: Belém: the newest observation is 9 months before the cutoff" in lines
    assert "Report: https://airflow.example.org/to-mlflow/report/0123abcd" in lines


def test_a_missed_deadline_is_reported_by_the_triggerer(webhook):
    found = alerts.deadline(12)
    assert found.interval == timedelta(hours=12)
    assert found.callback.path == "tracked_kedro.dag.alerts.Alert"
    short = {
        "dag_run": {"dag_id": "rents", "run_id": RUN},
        "deadline": {"id": "1", "deadline_time": "2019-11-03T18:00:00+00:00"},
    }

    async def miss_deadline():
        await alerts.Alert(**found.callback.kwargs, context=short)

    asyncio.run(miss_deadline())
    (posted,) = webhook
    assert posted.startswith("[retraining] rents: the DAG run missed its deadline")
    assert "It should have been done by 2019-11-03T18:00:00+00:00" in posted


def test_a_channel_that_is_down_does_not_silence_the_other(webhook, mailbox, monkeypatch):
    broken = {"conn_type": "smtp", "host": "127.0.0.1", "port": 9, "extra": {"disable_ssl": True, "retry_limit": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(broken))
    with pytest.raises(ExceptionGroup, match="An alert was not sent") as raised:
        alerts.Alert(alerts.FAILED).notify(context(reason="task_failure"))
    assert len(raised.value.exceptions) == 1
    assert len(webhook) == 1


def _decoded(mail):
    parsed = email.message_from_string(mail, policy=email.policy.default)
    return "".join(part.get_content() for part in parsed.walk() if part.get_content_type() == "text/html")
