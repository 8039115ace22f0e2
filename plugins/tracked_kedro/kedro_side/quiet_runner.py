"""Kedro's runner without its advice on how to call it: of no use to the reader of a task's log."""

from __future__ import annotations

import logging

_ADVICE = ("--async", "Repeat the previous command")


def _is_no_advice(record: logging.LogRecord) -> bool:
    return not any(words in str(record.msg) for words in _ADVICE)


def without_advice() -> None:
    """Let the runners of this process say what they run and no more; called again, it changes nothing."""
    for name in ("kedro.runner", "kedro.runner.runner", "kedro.runner.sequential_runner"):
        logging.getLogger(name).addFilter(_is_no_advice)
