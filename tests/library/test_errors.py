"""What a retry can do about an error."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import RetryAction
from kedro.config import MissingConfigException
from kedro.io import DatasetError
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from tracked_kedro.dag.retries import RETRY_POLICY
from tracked_kedro.errors import PermanentError, UnavailableError, classified
from tracked_kedro.kedro_side.parameter_check import check_parameters
from tracked_kedro.kedro_side.parameters import ParameterError


def raised(work) -> Exception:
    """The error that `work` raises, with its chain of causes."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - which one it is, is what the tests ask
        return error
    raise AssertionError("nothing was raised")


def caused(error: Exception, cause: Exception) -> Exception:
    def work():
        raise error from cause

    return raised(work)


def while_handling(error: Exception, handled: Exception) -> Exception:
    def work():
        try:
            raise handled
        except type(handled):
            raise error  # noqa: B904 - the missing `from` is the case in hand

    return raised(work)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("min_months"),
        KeyError("JAN"),
        TypeError("text"),
        FileNotFoundError("table.csv"),
        PermissionError("var"),
        MissingConfigException("no parameters"),
        caused(DatasetError("Failed while loading a_table"), ValueError("not CSV")),
        caused(RuntimeError("outer"), caused(DatasetError("middle"), FileNotFoundError("inner"))),
        raised(lambda: check_parameters({"use_mlflow": "x"}, "tests")),
    ],
    ids=repr,
)
def test_bad_data_and_configuration_are_permanent(error: Exception):
    seen = classified(error)
    assert isinstance(seen, PermanentError)
    assert str(seen) == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        TimeoutError("timed out"),
        caused(ValueError("no answer that could be read"), ConnectionResetError("reset")),
        while_handling(DatasetError("Failed while saving"), ConnectionError("aborted")),
    ],
    ids=repr,
)
def test_network_errors_are_unavailable_wherever_they_stand(error: Exception):
    seen = classified(error)
    assert isinstance(seen, UnavailableError)
    assert str(error) in str(seen)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("who knows"),
        DatasetError("Failed while saving"),
        MemoryError(),
        # Being handled is not being the cause: a cache that misses (KeyError) and then fails to be filled.
        while_handling(OSError(28, "No space left on device"), KeyError("cache")),
    ],
    ids=repr,
)
def test_others_stay_as_they_are(error: Exception):
    assert classified(error) is error


@pytest.mark.parametrize("error", [PermanentError("no"), UnavailableError("later")], ids=repr)
def test_what_is_classified_stays_so(error: Exception):
    assert classified(caused(error, ValueError("inner"))) is error


def test_a_chain_that_bites_its_tail_ends():
    first, second = RuntimeError("first"), RuntimeError("second")
    first.__cause__, second.__cause__ = second, first
    assert classified(first) is first


def test_a_tracking_server_that_refuses_the_connection(monkeypatch: pytest.MonkeyPatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as closed:  # bound and not listening: the port is ours and answers nobody
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        error = raised(lambda: MlflowClient(f"http://127.0.0.1:{port}").search_experiments())
    seen = classified(error)
    assert isinstance(seen, UnavailableError)
    assert "tracking server" in str(seen)
    assert str(port) in str(seen)


def test_a_database_that_cannot_be_opened(tmp_path: Path):
    engine = create_engine(f"sqlite:///{tmp_path / 'absent' / 'mlflow.db'}")
    error = raised(engine.connect)
    assert isinstance(error, OperationalError)
    assert isinstance(classified(error), UnavailableError)
    assert isinstance(classified(while_handling(DatasetError("Failed"), error)), UnavailableError)


def context(user: str | None) -> dict:
    return {"dag_run": SimpleNamespace(triggering_user_name=user)}


@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (PermanentError("bad"), RetryAction.FAIL, None),
        (UnavailableError("dead"), RetryAction.RETRY, timedelta(seconds=60)),
        (RuntimeError("one"), RetryAction.DEFAULT, None),
    ],
)
def test_retries_of_a_scheduled_run(error: Exception, action: RetryAction, delay: timedelta | None):
    for user in (None, "ana"):
        decision = RETRY_POLICY.evaluate(error, 1, 3, context(user))
        assert (decision.action, decision.retry_delay) == (action, delay)


@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (PermanentError("bad"), RetryAction.FAIL, None),
        (UnavailableError("dead"), RetryAction.FAIL, None),
        (RuntimeError("one"), RetryAction.RETRY, timedelta(seconds=1)),
    ],
)
def test_airflow_dags_test_keeps_nobody_waiting(error: Exception, action: RetryAction, delay: timedelta | None):
    decision = RETRY_POLICY.evaluate(error, 1, 3, context("dag_test"))
    assert (decision.action, decision.retry_delay) == (action, delay)


def test_a_dead_server_is_asked_again_later_each_time():
    delays = [
        RETRY_POLICY.evaluate(UnavailableError("dead"), attempt, 3, context(None)).retry_delay for attempt in (1, 2, 3)
    ]
    assert delays == [timedelta(seconds=60), timedelta(seconds=120), timedelta(seconds=240)]


def test_the_policy_survives_a_missing_context():
    assert RETRY_POLICY.evaluate(UnavailableError("dead"), 1, 3).action is RetryAction.RETRY


def test_a_parameter_error_reads_well():
    error = raised(lambda: check_parameters({"use_mlflaw": True}, "tests"))
    assert isinstance(error, ParameterError)
    assert "use_mlflaw: unknown key; allowed here: use_mlflow" in str(classified(error))
