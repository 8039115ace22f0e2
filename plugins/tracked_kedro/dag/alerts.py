"""Alerts by mail or webhook, through Airflow's own notifiers: a DAG run that failed or is late,
a promotion or none, and warnings.

Off until configured: ALERT_EMAIL_TO (addresses, with Airflow's connection `smtp_default`) and ALERT_WEBHOOK (the id of
an HTTP connection, e.g. `alerts_webhook`). Addresses with secrets in them stay in the connection.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseNotifier, conf

from tracked_kedro import mlflow_pages
from tracked_kedro.kedro_side import tracking_server
from tracked_kedro.names import APPROVE_TASK, DECIDE_TASK, OPEN_RUN_TASK, PROMOTE_TASK, REASON, TO_MLFLOW

EMAIL_TO, WEBHOOK = "ALERT_EMAIL_TO", "ALERT_WEBHOOK"
FAILED, LATE, PROMOTED, NOT_PROMOTED, WARNED = "failed", "late", "promoted", "not promoted", "warned"
_SUBJECTS = {
    FAILED: "the DAG run failed",
    LATE: "the DAG run missed its deadline",
    PROMOTED: "a new champion",
    NOT_PROMOTED: "the challenger was not promoted",
    WARNED: "warnings",
}


def alerts(event: str) -> list[Alert]:
    """Callbacks for an event; none where no channel is configured."""
    return [Alert(event)] if _configured() else []


def deadline(hours: float) -> Any:
    """The alert, sent by the triggerer, for DAG runs that are not done so many hours after they were queued.

    None where no channel is configured.
    """
    if not _configured():
        return None
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

    callback = AsyncCallback(Alert, kwargs={"event": LATE})
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=hours), callback)


class Alert(BaseNotifier):
    """Tells every configured channel of an event, with the reason and the links that a person needs at night."""

    def __init__(self, event: str, **options: Any) -> None:
        super().__init__(**options)
        self.event = event

    def notify(self, context: Any) -> None:
        """From a task or the dag processor. One channel that is down does not silence the others.

        Raises:
            ExceptionGroup: of what the channels raised; Airflow logs it, the task or DAG run goes on.
        """
        problems = []
        for channel in self._channels(context):
            try:
                channel.notify(context)
            except Exception as problem:  # noqa: BLE001  raised again below
                problems.append(problem)
        _raise(problems)

    async def async_notify(self, context: Any) -> None:
        """From the triggerer; as `notify`."""
        problems = []
        for channel in self._channels(context):
            try:
                await channel.async_notify(context)
            except Exception as problem:  # noqa: BLE001  raised again below
                problems.append(problem)
        _raise(problems)

    def _channels(self, context: Any) -> Iterator[BaseNotifier]:
        if self.event == WARNED and not _warnings(context):
            return
        subject, lines = message(self.event, context)
        if to := os.environ.get(EMAIL_TO):
            from airflow.providers.smtp.notifications.smtp import SmtpNotifier

            html = "<br>\n".join(line.replace("&", "&amp;").replace("<", "&lt;") for line in lines)
            yield SmtpNotifier(to=[one.strip() for one in to.split(",")], subject=subject, html_content=html)
        if connection := os.environ.get(WEBHOOK):
            from airflow.providers.http.notifications import HttpNotifier

            # "text" is what Slack, Mattermost and their kin show.
            yield HttpNotifier(http_conn_id=connection, endpoint="", json={"text": "\n".join([subject, *lines])})


def message(event: str, context: Any) -> tuple[str, list[str]]:
    """Subject and lines of an alert.

    Args:
        event: one of this module's.
        context: of a task, of a DAG's callback, or the short one that a missed deadline comes with.
    """
    run = context["dag_run"]
    dag_id, run_id = (run[key] if isinstance(run, dict) else getattr(run, key) for key in ("dag_id", "run_id"))
    lines = [f"Run: {run_id}", *_reasons(event, context)]
    if base := _airflow():
        lines.append(f"Airflow: {base}/dags/{quote(dag_id)}/runs/{quote(run_id)}")
    return f"[retraining] {dag_id}: {_SUBJECTS[event]}", lines


def _reasons(event: str, context: Any) -> Iterator[str]:
    if event == LATE:
        yield f"It should have been done by {context['deadline']['deadline_time']}"
    elif event == FAILED:
        yield f"Reason: {context.get('reason') or 'unknown'}; the failed tasks are red on the page below"
    elif event == WARNED:
        yield from _warnings(context)
        parent = context["ti"].xcom_pull(task_ids=OPEN_RUN_TASK)
        if parent and (airflow := _airflow()):
            yield f"Report: {airflow}{TO_MLFLOW}/report/{parent}"
    else:
        decision = context["ti"].xcom_pull(task_ids=DECIDE_TASK)
        yield f"{decision['model']} version {decision['version']}: {decision['reason']}"
        # `promote` says no where another champion came meanwhile.
        for task in (APPROVE_TASK, PROMOTE_TASK) if event == NOT_PROMOTED else ():
            if reason := context["ti"].xcom_pull(task_ids=task, key=REASON):
                yield f"Reason: {reason}"
        if base := mlflow_pages.address(tracking_server.address()):
            yield f"MLflow: {mlflow_pages.version(base, decision['model'], decision['version'])}"


def _warnings(context: Any) -> list[str]:
    """What the task itself returned."""
    return context["ti"].xcom_pull(task_ids=context["ti"].task_id) or []


def _airflow() -> str:
    """Address of Airflow's pages; empty where no server's is configured: no link is better than a dead one."""
    return (conf.get("api", "base_url", fallback="") or "").rstrip("/")


def _raise(problems: list[Exception]) -> None:
    if problems:
        raise ExceptionGroup("An alert was not sent", problems)


def _configured() -> bool:
    return bool(os.environ.get(EMAIL_TO) or os.environ.get(WEBHOOK))
