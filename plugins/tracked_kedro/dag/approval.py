"""The task between `decide` and `promote`: rules first, then, where the DAG run asks for it, a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NoReturn

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from tracked_kedro import addresses, names
from tracked_kedro.dag.alerts import NOT_PROMOTED, alerts
from tracked_kedro.dag.retries import is_attended
from tracked_kedro.dag.task_session import promotion_mode

COMMENT = "comment"


class PromotionApproval(ApprovalOperator):
    """Ends at once where nobody has to be asked; else waits in state "awaiting input", holding no worker slot.

    Its XCom value is {"by": who, "why": comment}. Where it is skipped, `promote` is skipped too and no alias moves.
    """

    def execute(self, context: Any) -> Any:
        """Decide by rules and mode, or ask."""
        decision = context["ti"].xcom_pull(task_ids=names.DECIDE_TASK)
        mode = promotion_mode(context)
        if not decision["promote"]:
            raise AirflowSkipException(f"Not promoted: {decision['reason']}")
        if mode == "never":
            _skip(context, "promotion is switched off in this DAG run (never)")
        if mode in ("auto", None):
            user = context["dag_run"].triggering_user_name
            return {"by": f"{context['dag_run'].run_id}{f' of {user}' if user else ''}", "why": ""}
        if is_attended(context):
            _skip(context, "`airflow dags test` has nobody who could approve")
        self.subject = f"Promote {decision['model']} version {decision['version']}?"
        self.body = _evidence(decision, context["ti"].xcom_pull(task_ids=names.OPEN_RUN_TASK))
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Take the answer; "Reject" and a time-out skip `promote`, as the rules do: this task too, with the reason."""
        user = (event.get("responded_by_user") or {}).get("name")
        comment = (event.get("params_input") or {}).get(COMMENT) or ""
        try:
            super().execute_complete(context, event)
        except DownstreamTasksSkipped:
            rejected = f"{user} rejected it{f': {comment}' if comment else ''}"
            _skip(context, rejected if user else "nobody answered in time")
        return {"by": user or "nobody", "why": comment}


def _skip(context: Any, reason: str) -> NoReturn:
    """Skip the task; Airflow does not tell its callbacks why, so that the reason is left for them in XCom."""
    context["ti"].xcom_push(key=names.REASON, value=reason)
    raise AirflowSkipException(f"Not promoted: {reason}")


def _evidence(decision: dict[str, Any], run_id: str) -> str:
    """The decision with links and pictures. Airflow's database keeps this text, the tracking server the pictures."""
    links = {"Run in MLflow": "run", "Report": "report", "Model version": "version"}
    lines = [
        " · ".join(f"[{words}]({addresses.to_mlflow(f'{page}/{run_id}')})" for words, page in links.items()),
        "",
        decision["text"],
    ]
    for caption, path in decision["pictures"].items():
        address = addresses.picture(run_id, path)
        # Airflow shows a picture 300 pixels wide; the link opens it in full.
        lines += [f"[{caption} (in full)]({address})", "", f"![{caption}]({address})", ""]
    return "\n".join(lines)


def approve(*, hours: float, **settings: Any) -> PromotionApproval:
    """The task `approve` of a generated DAG.

    Args:
        hours: how long a person may take to answer; no answer means no.
        settings: Airflow's, such as the task's documentation.
    """
    comment = Param("", type=["string", "null"], title="Comment", description="Kept with the version.")
    return PromotionApproval(
        task_id=names.APPROVE_TASK,
        subject="Promote the challenger?",
        defaults="Reject",
        response_timeout=timedelta(hours=hours),
        params={COMMENT: comment},
        on_skipped_callback=alerts(NOT_PROMOTED),
        **settings,
    )
