"""Logs of the tries that `make retrain` runs in its own process: where Airflow's pages look for those of any run."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog
from airflow.configuration import conf
from airflow.sdk.log import mask_logs
from airflow.utils.helpers import log_filename_template_renderer

from tracked_kedro import compatibility

_TRACEBACK = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(use_rich=False, show_locals=False)
)
# In this order, which Airflow's own logs have too.
_FIRST = ("timestamp", "level", "event")


class TaskLogs:
    """Whatever is logged while a try runs goes to that try's file as well, one JSON object a line, secrets masked.

    TaskLogs().keep()
    """

    def __init__(self) -> None:
        self._folder = Path(conf.get("logging", "base_log_folder"))
        self._name_of: Callable[..., str] = log_filename_template_renderer()
        self._file: TextIO | None = None
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Begin to keep them, in this process, whose logging Airflow has set up."""
        structlog.get_config()["processors"].insert(-1, self._see)
        for handler in logging.getLogger().handlers:
            if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter):
                handler.formatter.foreign_pre_chain = [*(handler.formatter.foreign_pre_chain or ()), self._see]
        compatibility.around_each_try(self._of)

    @contextlib.contextmanager
    def _of(self, try_of: Any) -> Iterator[None]:
        """The log of a try: a task that is deferred and goes on has one for both parts."""
        # Without its log the task runs as well; that the disk is full is told by `make retrain`.
        with contextlib.suppress(OSError):
            path = self._folder / self._name_of(ti=try_of)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", buffering=1)
        try:
            yield
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def _see(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A processor of structlog's: what it is handed goes on as it is."""
        if self._file is not None:
            line = _line(logger, method, event)
            try:
                with self._lock:
                    if self._file is not None:
                        self._file.write(line)
            except OSError:
                self._end()
        return event


def _line(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    kept = {key: value for key, value in event.items() if not key.startswith("_") and key != "positional_args"}
    kept = dict(_TRACEBACK(logger, method, kept))
    if (traceback := kept.pop("exception", None)) is not None:
        kept["error_detail"] = traceback
    kept = dict(mask_logs(logger, method, kept))
    ordered = {key: kept.pop(key) for key in _FIRST if key in kept} | kept
    return json.dumps(ordered, default=str) + "\n"
