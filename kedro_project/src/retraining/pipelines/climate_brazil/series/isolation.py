"""One failing series does not stop the others: work is mapped over series, and failures travel as values."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)


class SeriesFailedError(RuntimeError):
    """Some series of this task failed; the others are finished and will not be done again by a retry."""


@dataclass(frozen=True)
class Failure:
    """Why a series has no result: the step that failed and the error's message."""

    step: str
    reason: str


def each(step: str, function: Callable[..., Any], *inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a function to every series.

    Args:
        step: name of the step, for the log and for failures.
        function: called with the series' value from each input.
        inputs: results by series id, with the same keys; a `Failure` among a series' inputs is passed on.

    Returns:
        Result by series id, a `Failure` where the function raised.
    """
    results: dict[str, Any] = {}
    begin = time.perf_counter()
    for done, series in enumerate(inputs[0], start=1):
        arguments = [values[series] for values in inputs]
        failed = next((value for value in arguments if isinstance(value, Failure)), None)
        if failed is not None:
            results[series] = failed
            continue
        start = time.perf_counter()
        try:
            results[series] = function(*arguments)
        # Whatever goes wrong with one series is reported under its name; the shard goes on.
        except Exception as error:
            log.exception("%s of %s failed", step, series)
            results[series] = Failure(step, f"{type(error).__name__}: {error}")
            continue
        now = time.perf_counter()
        left = (now - begin) / done * (len(inputs[0]) - done)
        log.info("%s %s: %.2f s (%d of %d, about %.0f s left)", step, series, now - start, done, len(inputs[0]), left)
    return results


def failures(results: Mapping[str, Any]) -> dict[str, Failure]:
    """The failed ones among results by series id."""
    return {series: value for series, value in results.items() if isinstance(value, Failure)}


def reasons(failed: Mapping[str, Failure]) -> str:
    """The failed series with step and reason, in one line."""
    return "; ".join(f"{series} ({failure.step}: {failure.reason})" for series, failure in failed.items())
