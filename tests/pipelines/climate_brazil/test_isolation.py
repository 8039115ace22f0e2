"""One failing series stays alone, and the task says at its end which ones failed."""

import logging

import pytest

from retraining.pipelines.climate_brazil.series.isolation import Failure, SeriesFailedError, each, failures
from retraining.pipelines.climate_brazil.series.nodes import check_series


def invert(value: float) -> float:
    return 1 / value


def test_every_series_is_worked_on_in_order() -> None:
    assert list(each("invert", invert, {"b": 2, "a": 4}).items()) == [("b", 0.5), ("a", 0.25)]


def test_one_failing_series_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    results = each("invert", invert, {"a": 0, "b": 2, "c": 0, "d": 4})
    assert (results["b"], results["d"]) == (0.5, 0.25)
    assert failures(results).keys() == {"a", "c"}
    assert results["a"] == Failure("invert", "ZeroDivisionError: division by zero")
    assert "invert of a failed" in caplog.text
    assert "Traceback" in caplog.text
    assert "4 of 4" in caplog.text


def test_a_failure_travels_unchanged_through_later_steps() -> None:
    first = each("invert", invert, {"a": 0, "b": 2})
    called = []

    def add(one: float, other: float) -> float:
        called.append(one)
        return one + other

    later = each("add", add, {"a": 1, "b": 1}, first)
    assert later == {"a": Failure("invert", "ZeroDivisionError: division by zero"), "b": 1.5}
    assert called == [1]


def test_an_interrupt_is_no_failure_of_a_series() -> None:
    def interrupt(value: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each("wait", interrupt, {"a": 1})


def test_nothing_to_do_is_no_error() -> None:
    assert each("invert", invert, {}) == {}
    check_series({})


def test_the_check_names_every_failed_series_with_step_and_reason() -> None:
    outcome = {"a": Failure("train", "ValueError: constant"), "b": 1, "c": Failure("plot", "OSError: full")}
    with pytest.raises(SeriesFailedError) as caught:
        check_series(outcome)
    message = str(caught.value)
    assert message == "2 of 3 series failed: a (train: ValueError: constant); c (plot: OSError: full)"
    check_series({"b": 1})
