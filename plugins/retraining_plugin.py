"""Registers the library with Airflow where it lies in the plugins folder without being installed.

Installed, its entry point has registered it already, and Airflow would report a second time as an error.
"""

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="tracked_kedro"):
    from tracked_kedro.web.plugin import TrackedKedroPlugin

    __all__ = ["TrackedKedroPlugin"]
