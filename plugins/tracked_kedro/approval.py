"""The task between `decide` and `promote`: rules first, then, where the DAG run asks for it, a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

from tracked_kedro import addresses, names
from tracked_kedro.alerts import NOT_PROMOTED, alerts
from tracked_kedro.retries import is_attended

COMMENT = "comment"


class PromotionApproval(ApprovalOperator):
    """Ends at once where nobody has to be asked; else waits in state "awaiting input", holding no worker slot.

    Its XCom value is {"by": who, "why": comment}. Where it is skipped, `promote` is skipped too and no alias moves.
    """

    def execute(self, context: Any) -> Any:
        """Decide by rules and mode, or ask."""
        decision = context["ti"].xcom_pull(task_ids=names.DECIDE_TASK)
        mode = context["params"].get(names.PROMOTION, "auto")
        if not decision["promote"]:
            raise AirflowSkipException(f"Not promoted: {decision['reason']}")
        if mode == "never":
            raise AirflowSkipException("Not promoted: promotion is switched off in this DAG run (never)")
        if mode == "auto":
            user = context["dag_run"].triggering_user_name
            return {"by": f"{context['dag_run'].run_id}{f' of {user}' if user else ''}", "why": ""}
        if is_attended(context):
            raise AirflowSkipException("Not promoted: `airflow dags test` has nobody who could approve")
        self.subject = f"Promote {decision['model']} version {decision['version']}?"
        self.body = _evidence(decision, context["ti"].xcom_pull(task_ids=names.OPEN_RUN_TASK))
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Take the answer; "Reject" and a time-out skip `promote`."""
        answer = super().execute_complete(context, event)
        user = answer["responded_by_user"] or {}
        return {"by": user.get("name") or "nobody", "why": answer["params_input"].get(COMMENT) or ""}


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


def approve(*, hours: float, doc_md: str) -> PromotionApproval:
    """The task `approve` of a generated DAG.

    Args:
        hours: how long a person may take to answer; no answer means no.
        doc_md: the task's documentation.
    """
    comment = Param("", type=["string", "null"], title="Comment", description="Kept with the version.")
    return PromotionApproval(
        task_id=names.APPROVE_TASK,
        doc_md=doc_md,
        subject="Promote the challenger?",
        defaults="Reject",
        response_timeout=timedelta(hours=hours),
        params={COMMENT: comment},
        on_skipped_callback=alerts(NOT_PROMOTED),
    )
