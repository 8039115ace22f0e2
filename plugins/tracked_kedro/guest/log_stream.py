"""Log records as lines of JSON on a descriptor: whoever started this process logs them again, with their levels."""

from __future__ import annotations

import json
import logging
import os


class LogStream(logging.Handler):
    """Writes each record as one line."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            text = self.format(record)
            line = json.dumps({"level": record.levelno, "name": record.name, "message": text})
            os.write(self._descriptor, line.encode() + b"\n")
        except Exception:  # noqa: BLE001 - as logging does it: no record ends a task
            self.handleError(record)
