"""Warnings that libraries give each other: nothing that the person at this terminal could change."""

from __future__ import annotations

import logging
from pathlib import Path


def hide_library_warnings(project: Path | None = None) -> None:
    """Show no warning of Python's but those of a project's own files.

    Filters of Python's would not do: MLflow puts one of its own before them when it is imported.

    Args:
        project: folder whose warnings are shown; None: no warning is.
    """

    def is_own(record: logging.LogRecord) -> bool:
        return project is not None and str(project) in record.getMessage()

    logging.captureWarnings(True)
    logger = logging.getLogger("py.warnings")
    logger.addFilter(is_own)
    if project is None:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
