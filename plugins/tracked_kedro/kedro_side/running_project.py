"""The Kedro project that runs in this process, as its settings name it."""

from __future__ import annotations

from kedro.framework import project
from kedro.framework.project import settings


def is_asked_for() -> bool:
    """Whether the project that is running says `TRACKED_KEDRO = True` in its settings.py; others are left alone."""
    return bool(settings.get("TRACKED_KEDRO"))


def pipelines_package() -> str:
    """Dotted name of the package that holds the project's pipelines."""
    return f"{project.PACKAGE_NAME}.pipelines"
