"""When a failed task is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.definitions.retry_policy import RetryDecision

from tracked_kedro.errors import PermanentError, UnavailableError

# `airflow dags test` signs its DAG runs with this name.
DAGS_TEST = "dag_test"
_AT_ONCE = timedelta(seconds=1)
# After the first failure; twice as long after each further one.
_BACK_OFF = timedelta(seconds=60)


class RetryByCause(ExceptionRetryPolicy):
    """Bad data or configuration fails at once; an unavailable server is asked again later; the rest as the DAG says.

    Under `airflow dags test` a person is waiting: what may work at a second try is tried again at once, and a server
    that does not answer is reported instead of waited for.
    """

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Airflow's question, asked in the task's process."""
        decision = super().evaluate(exception, try_number, max_tries, context)
        if decision.action is RetryAction.FAIL:
            return decision
        attended = is_attended(context)
        if isinstance(exception, UnavailableError):
            if attended:
                return RetryDecision.fail("no answer; `airflow dags test` does not wait for one")
            return RetryDecision.retry(_BACK_OFF * 2 ** (try_number - 1), "no answer; later each time")
        return RetryDecision.retry(_AT_ONCE, "`airflow dags test` tries again at once") if attended else decision


def is_attended(context: Any) -> bool:
    """Whether `airflow dags test` runs this task, in its own process and with a person waiting."""
    dag_run = (context or {}).get("dag_run")
    return getattr(dag_run, "triggering_user_name", None) == DAGS_TEST


#: The policy of every generated DAG.
RETRY_POLICY = RetryByCause(
    rules=[
        RetryRule(PermanentError, RetryAction.FAIL, reason="the same input would fail again"),
        RetryRule(UnavailableError, RetryAction.RETRY, retry_delay=_BACK_OFF, reason="no answer"),
    ]
)
